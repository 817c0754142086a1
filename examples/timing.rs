use fortnight::recorded::*;
use fortnight::time::Window;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let t = std::time::Instant::now();
    let f: Vec<_> = a[1..].iter().map(|p| RecordedFile::open(std::path::Path::new(p), p).unwrap()).collect();
    let r = match read(&f, Wanted { window: Window::new(i64::MIN, i64::MAX), part: Part::WHOLE }, Duplicates::Refuse) {
        Ok(r) => r,
        Err(e) => {
            eprintln!("{e}\n{:?}", e.help());
            return;
        }
    };
    eprintln!("{:?} rows {} series {} left out {:?}", t.elapsed(), r.rows, r.series.len(), r.left_out);
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    eprintln!(
        "{}",
        s.lines().filter(|l| l.starts_with("VmHWM") || l.starts_with("VmRSS")).collect::<Vec<_>>().join(" ")
    );
}
