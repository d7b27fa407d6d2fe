//! The data files that golden entries name.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

/// A folder that is searched recursively for files by name.
pub struct DataFolder(PathBuf);

/// A file read whole: its header and its columns of text.
pub struct Table {
    header: Vec<String>,
    rows: Vec<csv::StringRecord>,
}

impl DataFolder {
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The file of that name, or `None` when it is not here. A name that ends in `.gz` is unpacked.
    pub fn table(&self, name: &str) -> Option<Table> {
        let path = find(&self.0, name)?;
        let file = File::open(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
        let packed = path.extension().is_some_and(|e| e == "gz");
        let reader: Box<dyn Read> = if packed {
            Box::new(GzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let mut reader = csv::Reader::from_reader(reader);
        let header = reader.headers().unwrap_or_else(|e| panic!("{name}: {e}"));
        let header = header.iter().map(str::to_owned).collect();
        let rows = reader.records().collect::<Result<_, _>>();
        Some(Table {
            header,
            rows: rows.unwrap_or_else(|e| panic!("{name}: {e}")),
        })
    }
}

impl Table {
    /// The first of several spellings of a column that the file has, with its position.
    pub fn column(&self, names: &[&str]) -> Option<(String, Vec<&str>)> {
        let (name, position) = names
            .iter()
            .find_map(|name| Some((name, self.header.iter().position(|column| column == name)?)))?;
        Some((
            (*name).to_owned(),
            self.rows
                .iter()
                .map(|row| row.get(position).unwrap_or(""))
                .collect(),
        ))
    }

    /// As [`Table::column`], read as numbers.
    pub fn numbers(&self, names: &[&str]) -> Option<(String, Vec<f64>)> {
        let (name, texts) = self.column(names)?;
        let numbers = texts
            .iter()
            .map(|text| {
                text.parse()
                    .unwrap_or_else(|e| panic!("column {name}: `{text}`: {e}"))
            })
            .collect();
        Some((name, numbers))
    }
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    entries.sort();
    let here = entries
        .iter()
        .find(|path| path.is_file() && path.ends_with(name));
    here.cloned().or_else(|| {
        entries
            .iter()
            .filter(|path| path.is_dir())
            .find_map(|folder| find(folder, name))
    })
}
