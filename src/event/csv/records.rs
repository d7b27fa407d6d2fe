//! Records of a CSV stream, one at a time, in bounded memory.

use std::io::{ErrorKind, Read};

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::RECORD_BYTES_MAX;
use crate::error::DataError;

const CHUNK_BYTES: usize = 1 << 16;
/// How much of a record with a fault is kept for the message: 41 characters of four bytes.
const HEAD_BYTES: usize = 164;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads records from a stream; the buffers are reused from record to record.
///
/// `csv_core` tells the fields apart. Around it stand three things that it leaves to its caller: the
/// line on which a record begins (blank lines and every kind of line end counted), a bound on the
/// size of a record, and the notice that the stream ended inside quotes.
pub(super) struct Records<R> {
    stream: R,
    parser: Reader,
    chunk: Box<[u8]>,
    /// The part of `chunk` that is not yet parsed.
    start: usize,
    end: usize,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// The first bytes of a record that one step of the parser did not finish.
    head: Vec<u8>,
    /// The line on which the next unparsed byte stands.
    line: u64,
    /// The last line ended in a carriage return: a line feed right after it ends the same line.
    after_return: bool,
    /// The line on which the last whole record began.
    last_row: u64,
}

/// One record: its fields, unquoted, or what kept it from being read.
pub(crate) struct Record<'a> {
    /// The line on which the record begins, counted from 1.
    pub(super) row: u64,
    pub(super) fault: Option<Fault>,
    /// Its first bytes as they stand in the stream, when it has a fault.
    pub(super) head: &'a [u8],
    bytes: &'a [u8],
    ends: &'a [usize],
}

/// Why a record has no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It takes [`RECORD_BYTES_MAX`] bytes or more, its line end included.
    Long,
    /// The stream ended before its last quoted field did.
    OpenQuote,
}

impl<'a> Record<'a> {
    pub(super) fn fields(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn field(&self, index: usize) -> Option<&'a [u8]> {
        let end = *self.ends.get(index)?;
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..end)
    }
}

impl<R: Read> Records<R> {
    /// Starts at the beginning of a stream; a byte-order mark is left out.
    pub(super) fn new(stream: R, delimiter: u8) -> Result<Self, DataError> {
        let mut records = Self {
            stream,
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            chunk: vec![0; CHUNK_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            bytes: vec![0; 1 << 10],
            ends: vec![0; 1 << 5],
            head: Vec::new(),
            line: 1,
            after_return: false,
            last_row: 0,
        };
        while records.end < BOM.len() && records.fill()? {}
        if records.unparsed().starts_with(BOM) {
            records.start = BOM.len();
        }
        Ok(records)
    }

    /// The next record that is not a blank line, or `None` at the end of the stream.
    pub(super) fn next(&mut self) -> Result<Option<Record<'_>>, DataError> {
        if !self.skip_blank_lines()? {
            return Ok(None);
        }
        let row = self.line;
        self.head.clear();
        let (mut bytes, mut ends, mut raw) = (0, 0, 0);
        let mut fault = None;
        loop {
            let at_end = self.start == self.end && !self.refill()?;
            let input: &[u8] = if at_end {
                b"\n"
            } else {
                // In range: `start <= end <= chunk.len()` at all times.
                &self.chunk[self.start..self.end]
            };
            let lines_before = self.parser.line();
            let (result, read, written, ended) = self.parser.read_record(
                input,
                self.bytes.get_mut(bytes..).unwrap_or_default(),
                self.ends.get_mut(ends..).unwrap_or_default(),
            );
            bytes += written;
            ends += ended;
            raw += read;
            if !at_end {
                self.line += self.parser.line() - lines_before;
                self.after_return = read > 0 && input.get(read - 1) == Some(&b'\r');
                self.start += read;
            }
            match result {
                ReadRecordResult::Record => break,
                // Outside quotes the line feed that stands in for the end ends the record.
                _ if at_end && read == 1 => {
                    fault = Some(Fault::OpenQuote);
                    break;
                }
                ReadRecordResult::End => break,
                ReadRecordResult::OutputFull if bytes < RECORD_BYTES_MAX => {
                    self.bytes.resize(self.bytes.len() * 2, 0);
                }
                ReadRecordResult::OutputEndsFull if ends < RECORD_BYTES_MAX => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                _ => {}
            }
            if !at_end {
                let room = HEAD_BYTES - self.head.len();
                self.head.extend(input.iter().take(read.min(room)));
            }
            if raw >= RECORD_BYTES_MAX {
                // Read on to the end of the record, and keep nothing of it.
                (bytes, ends) = (0, 0);
            }
        }
        self.line += u64::from(self.after_return);
        self.last_row = row;
        if raw >= RECORD_BYTES_MAX {
            fault = fault.or(Some(Fault::Long));
        }
        if fault.is_some() {
            (bytes, ends) = (0, 0);
        }
        Ok(Some(Record {
            row,
            fault,
            head: &self.head,
            bytes: self.bytes.get(..bytes).unwrap_or_default(),
            ends: self.ends.get(..ends).unwrap_or_default(),
        }))
    }

    /// Moves to the first byte of the next record; `false` when there is none.
    fn skip_blank_lines(&mut self) -> Result<bool, DataError> {
        loop {
            while let Some(&byte) = self.unparsed().first() {
                match byte {
                    b'\n' => self.line += u64::from(!self.after_return),
                    b'\r' => self.line += 1,
                    _ => {
                        self.after_return = false;
                        return Ok(true);
                    }
                }
                self.after_return = byte == b'\r';
                self.start += 1;
            }
            if !self.refill()? {
                return Ok(false);
            }
        }
    }

    fn unparsed(&self) -> &[u8] {
        self.chunk.get(self.start..self.end).unwrap_or_default()
    }

    /// Replaces a parsed chunk by the next; `false` at the end of the stream.
    fn refill(&mut self) -> Result<bool, DataError> {
        (self.start, self.end) = (0, 0);
        self.fill()
    }

    /// Reads more bytes behind those there are; `false` at the end of the stream.
    fn fill(&mut self) -> Result<bool, DataError> {
        loop {
            let free = self.chunk.get_mut(self.end..).unwrap_or_default();
            match self.stream.read(free) {
                Ok(read) => {
                    self.end = (self.end + read).min(self.chunk.len());
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(DataError::Read {
                        row: self.last_row,
                        message: error.to_string(),
                    });
                }
            }
        }
    }
}
