//! What the reports say about a made-up run, and that they say it in every format.

mod page;
mod snapshots;

use super::*;
use crate::engine::Span;
use crate::metrics::fixture;

#[test]
fn reports_are_written_whole_and_leave_nothing_beside() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let nested = dir.path().join("a/b");
    let (summary, series) = fixture::flash_sale();
    prepare(&nested).expect("a folder to write to");
    for _ in 0..2 {
        let written = write_all(&nested, &summary, &series, &Part::USUAL).expect("four files");
        let [one, two, points, three] = written.as_slice() else {
            panic!("{written:?}");
        };
        assert_eq!(fs::read_to_string(one).expect("json"), json(&summary));
        assert_eq!(fs::read_to_string(two).expect("csv"), csv(&series));
        let points = fs::read_to_string(points).expect("csv");
        assert_eq!(points, cloudwatch(&series));
        assert_eq!(
            fs::read_to_string(three).expect("html"),
            html(&summary, &series)
        );
    }
    assert_eq!(fs::read_dir(&nested).expect("the folder").count(), 4);
}

#[test]
fn a_folder_that_is_a_file_is_named_in_the_error() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("taken");
    fs::write(&file, b"").expect("a file");
    let (summary, series) = fixture::empty();
    let error = write_all(&file, &summary, &series, &Part::USUAL).expect_err("a file is no folder");
    assert!(error.to_string().contains("taken"), "{error}");
    assert!(prepare(&file).is_err());
}
