//! What is shown while one waits.

use std::fs;
use std::io::{self, Read};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over the bytes of a file; hidden where the output is no terminal.
pub fn reading<R: Read>(reader: R, bytes: u64) -> impl Read {
    let style = ProgressStyle::with_template("{msg} [{bar:40}] {bytes}/{total_bytes}, {eta} left");
    let bar = ProgressBar::new(bytes).with_message("Reading");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    Counted { reader, bar }
}

struct Counted<R> {
    reader: R,
    bar: ProgressBar,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        match count {
            0 => self.bar.finish_and_clear(),
            _ => self.bar.inc(count as u64),
        }
        Ok(count)
    }
}

/// Runs `work` under a line that says what is being done.
pub fn step<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    let spinner = ProgressBar::new_spinner().with_message(what);
    spinner.enable_steady_tick(Duration::from_millis(120));
    let result = work();
    spinner.finish_and_clear();
    result
}

/// The most memory that this process held, where the system tells.
pub fn peak_memory_mb() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024)
}
