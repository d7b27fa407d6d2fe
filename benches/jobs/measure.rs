//! Wall time, CPU time and peak memory of a closure.

use std::fs;
use std::time::Instant;

use rustix::time::{ClockId, clock_gettime};
use serde_json::Value;
use tenure::Error;

/// One job's figures.
#[derive(Default)]
pub struct Measured {
    pub wall_s: f64,
    /// User and system time of all threads.
    pub cpu_s: f64,
    /// The process's peak resident memory over its life, the job's data included; 0 where it cannot be read.
    pub peak_rss_mb: u64,
    pub n: usize,
    pub check: Value,
}

/// Runs `work` `repeat` times on what `prepare` makes (not timed) and keeps the run with the least CPU time.
pub fn best_of<I, O>(
    repeat: u32,
    n: usize,
    mut prepare: impl FnMut() -> I,
    mut work: impl FnMut(I) -> Result<O, Error>,
    check: impl FnOnce(O) -> Value,
) -> Result<Measured, String> {
    let mut best: Option<(f64, f64, O)> = None;
    for _ in 0..repeat {
        let input = prepare();
        let (wall, cpu) = (Instant::now(), cpu_s());
        let output = work(input).map_err(|e| e.to_string())?;
        let (wall_s, cpu_s) = (wall.elapsed().as_secs_f64(), cpu_s() - cpu);
        if best.as_ref().is_none_or(|(_, least, _)| cpu_s < *least) {
            best = Some((wall_s, cpu_s, output));
        }
    }
    let (wall_s, cpu_s, output) = best.ok_or("a job runs at least once")?;
    Ok(Measured {
        wall_s,
        cpu_s,
        peak_rss_mb: peak_rss_mb(),
        n,
        check: check(output),
    })
}

/// User and system time of the process so far.
pub fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// The process's peak resident memory over its life; 0 where it cannot be read.
pub fn peak_rss_mb() -> u64 {
    memory_mb("VmHWM:")
}

/// The process's resident memory; 0 where it cannot be read.
pub fn rss_mb() -> u64 {
    memory_mb("VmRSS:")
}

fn memory_mb(what: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kib = line.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
