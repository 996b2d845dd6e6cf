//! The content of the text formats as Parquet: the same rows, columns and values, with types.
//!
//! Rows are made from the text itself, so that the two cannot differ. A field that is empty there is null here.

use std::borrow::Cow;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::errors::ParquetError;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::types::Type;
use serde_json::Value;

use super::{cloudwatch, csv, json};
use crate::metrics::{Series, Summary};

/// Rows that are worked on at once.
const GROUP: usize = 20_000;

type Row<'a> = Vec<Cow<'a, str>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Whole,
    Real,
}

/// The kind of a column, by its name in the text format.
fn kind(column: &str) -> Kind {
    const TEXTS: [&str; 11] = [
        "subject_kind",
        "subject",
        "timestamp",
        "namespace",
        "metric",
        "dimensions",
        "unit",
        "statistic",
        "section",
        "text",
        "key",
    ];
    const REALS: [&str; 6] = [
        "time_s",
        "value",
        "low",
        "high",
        "provisioned_utilization_max",
        // Whole for mappings; of partitions it has digits after the point.
        "max_offset_lag",
    ];
    if TEXTS.contains(&column) {
        Kind::Text
    } else if REALS.contains(&column) || column.ends_with("_ms") || column.ends_with("_mean") {
        Kind::Real
    } else {
        Kind::Whole
    }
}

/// `series.parquet`.
pub(super) fn series(series: &Series) -> Result<Vec<u8>, ParquetError> {
    of_csv(&csv::render(series))
}

/// `metrics.parquet`.
pub(super) fn metrics(series: &Series) -> Result<Vec<u8>, ParquetError> {
    of_csv(&cloudwatch::render(series))
}

/// `summary.parquet`: a row for every leaf of the JSON document. Where it is a figure of replications, `low` and `high`
/// are its interval.
pub(super) fn summary(summary: &Summary) -> Result<Vec<u8>, ParquetError> {
    let document: Value = serde_json::from_str(&json::render(summary))
        .map_err(|error| ParquetError::General(error.to_string()))?;
    let mut rows = Vec::new();
    leaves(&document, &mut Vec::new(), &mut rows);
    let columns = [
        "section", "subject", "metric", "value", "low", "high", "text",
    ];
    write(&columns, rows.into_iter())
}

/// Visits every leaf with the keys that lead to it.
fn leaves(value: &Value, path: &mut Vec<String>, rows: &mut Vec<Row<'static>>) {
    match value {
        Value::Object(entries) if is_interval(entries) => {
            let of = |key: &str| entries.get(key).map(plain).unwrap_or_default();
            rows.push(row(
                path,
                [of("mean"), of("low"), of("high"), String::new()],
            ));
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                path.push(key.clone());
                leaves(value, path, rows);
                path.pop();
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                path.push(index.to_string());
                leaves(value, path, rows);
                path.pop();
            }
        }
        Value::String(text) => {
            rows.push(row(path, ["", "", "", text].map(str::to_owned)));
        }
        Value::Bool(is) => rows.push(row(path, ["", "", "", &is.to_string()].map(str::to_owned))),
        other => rows.push(row(path, [&plain(other), "", "", ""].map(str::to_owned))),
    }
}

fn is_interval(entries: &serde_json::Map<String, Value>) -> bool {
    entries.keys().eq(["mean", "low", "high"])
}

/// A number as it is written; nothing for what was not measured.
fn plain(value: &Value) -> String {
    if value.is_null() {
        return String::new();
    }
    value.to_string()
}

fn row(path: &[String], values: [String; 4]) -> Row<'static> {
    // What belongs to a subject is two keys deep; what is at the top belongs to the run.
    let subjects = ["functions", "versions", "mappings"];
    let (section, subject, metric) = match path {
        [section, subject, metric @ ..] if subjects.contains(&section.as_str()) => {
            (section.as_str(), subject.as_str(), metric)
        }
        [section, metric @ ..] if !metric.is_empty() => (section.as_str(), "", metric),
        metric => ("run", "", metric),
    };
    let keys = [section.to_owned(), subject.to_owned(), metric.join(".")];
    keys.into_iter().chain(values).map(Cow::Owned).collect()
}

fn of_csv(text: &str) -> Result<Vec<u8>, ParquetError> {
    let mut rest = text;
    let columns = record(&mut rest).unwrap_or_default();
    let columns: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
    write(&columns, std::iter::from_fn(|| record(&mut rest)))
}

/// Takes the next row of a CSV document.
fn record<'a>(rest: &mut &'a str) -> Option<Row<'a>> {
    if rest.is_empty() {
        return None;
    }
    let mut fields = Vec::new();
    loop {
        let (field, end) = if let Some(quoted) = rest.strip_prefix('"') {
            let mut text = String::new();
            let mut after = quoted;
            loop {
                let (part, next) = after.split_once('"').unwrap_or((after, ""));
                text.push_str(part);
                after = next;
                let Some(next) = after.strip_prefix('"') else {
                    break;
                };
                text.push('"');
                after = next;
            }
            (Cow::Owned(text), after)
        } else {
            let end = rest.find([',', '\n']).unwrap_or(rest.len());
            (Cow::Borrowed(&rest[..end]), &rest[end..])
        };
        fields.push(field);
        *rest = end.get(1..).unwrap_or_default();
        if !end.starts_with(',') {
            return Some(fields);
        }
    }
}

fn write<'a>(
    columns: &[&str],
    mut rows: impl Iterator<Item = Row<'a>>,
) -> Result<Vec<u8>, ParquetError> {
    let kinds: Vec<Kind> = columns.iter().map(|column| kind(column)).collect();
    let fields = columns.iter().zip(&kinds).map(|(column, kind)| {
        let (physical, logical) = match kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Whole => (Physical::INT64, None),
            Kind::Real => (Physical::DOUBLE, None),
        };
        let field = Type::primitive_type_builder(column, physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical);
        field.build().map(Arc::new)
    });
    let schema = Type::group_type_builder("tidegate")
        .with_fields(fields.collect::<Result<_, _>>()?)
        .build()?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_created_by(concat!("tidegate ", env!("CARGO_PKG_VERSION")).to_owned())
        .build();
    let mut writer = SerializedFileWriter::new(Vec::new(), Arc::new(schema), Arc::new(properties))?;
    loop {
        let group: Vec<Row<'_>> = rows.by_ref().take(GROUP).collect();
        if group.is_empty() {
            break;
        }
        let mut writer = writer.next_row_group()?;
        for (index, (column, kind)) in columns.iter().zip(&kinds).enumerate() {
            let field = |row: &'_ Row<'_>| row.get(index).map_or("", AsRef::as_ref).to_owned();
            let wrong = |text: &str| ParquetError::General(format!("`{text}` in column {column}"));
            let fields = group.iter().map(field);
            match kind {
                Kind::Text => {
                    put::<ByteArrayType>(&mut writer, fields, |text| Ok(ByteArray::from(text)))?;
                }
                Kind::Whole => put::<Int64Type>(&mut writer, fields, |text| {
                    text.parse().map_err(|_| wrong(text))
                })?,
                Kind::Real => put::<DoubleType>(&mut writer, fields, |text| {
                    text.parse().map_err(|_| wrong(text))
                })?,
            }
        }
        writer.close()?;
    }
    writer.into_inner()
}

/// Writes the next column of a group.
fn put<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    fields: impl Iterator<Item = String>,
    value: impl Fn(&str) -> Result<T::T, ParquetError>,
) -> Result<(), ParquetError> {
    let mut levels = Vec::new();
    let mut values = Vec::new();
    for field in fields {
        levels.push(i16::from(!field.is_empty()));
        if !field.is_empty() {
            values.push(value(&field)?);
        }
    }
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("a column too many".to_owned()));
    };
    column
        .typed::<T>()
        .write_batch(&values, Some(&levels), None)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::fixture;
    use ::parquet::file::reader::{FileReader, SerializedFileReader};
    use ::parquet::record::Field;

    type Cells = Vec<Vec<(String, Field)>>;

    fn read(bytes: Vec<u8>) -> Cells {
        let reader = SerializedFileReader::new(bytes::Bytes::from(bytes)).expect("a file");
        let rows = reader.get_row_iter(None).expect("rows");
        rows.map(|row| row.expect("a row").into_columns()).collect()
    }

    #[test]
    fn rows_of_csv_come_back() {
        let text = "time_s,subject,polled,age_max_ms\n0,\"a,\"\"b\"\"\nc\",3,\n1,d,,2.5\n";
        let mut rest = text;
        assert_eq!(record(&mut rest).expect("a heading").len(), 4);
        assert_eq!(record(&mut rest).expect("a row")[1], "a,\"b\"\nc");
        let cells = read(of_csv(text).expect("a file"));
        let first: Vec<Field> = cells[0].iter().map(|(_, field)| field.clone()).collect();
        let string = |text: &str| Field::Str(text.to_owned());
        assert_eq!(
            first,
            [
                Field::Double(0.0),
                string("a,\"b\"\nc"),
                Field::Long(3),
                Field::Null
            ]
        );
        assert_eq!(cells[1][2].1, Field::Null);
        assert_eq!(cells[1][3].1, Field::Double(2.5));
    }

    /// Also that every column's kind suits what is in it.
    #[test]
    fn every_value_of_the_series_is_there() {
        let (_, data) = fixture::flash_sale();
        for (bytes, text) in [
            (series(&data).expect("a file"), csv::render(&data)),
            (metrics(&data).expect("a file"), cloudwatch::render(&data)),
        ] {
            let cells = read(bytes);
            let mut rest = text.as_str();
            let columns = record(&mut rest).expect("a heading");
            for row in cells {
                let expected = record(&mut rest).expect("as many rows");
                for (index, (name, field)) in row.iter().enumerate() {
                    assert_eq!(*name, columns[index]);
                    let same = match field {
                        Field::Null => expected[index].is_empty(),
                        Field::Str(found) => *found == expected[index],
                        Field::Long(found) => found.to_string() == expected[index],
                        Field::Double(found) => Ok(*found) == expected[index].parse(),
                        _ => false,
                    };
                    assert!(same, "{name}: {field} and {}", expected[index]);
                }
            }
            assert!(record(&mut rest).is_none());
        }
    }

    #[test]
    fn every_figure_of_the_summary_is_a_row() {
        let (figures, _) = fixture::flash_sale();
        let cells = read(summary(&figures).expect("a file"));
        let find = |section: &str, subject: Option<&str>, metric: &str| {
            let keys = [Some(section), subject, Some(metric)];
            let keys = keys.map(|key| key.map_or(Field::Null, |key| Field::Str(key.to_owned())));
            let row = cells.iter().find(|row| {
                keys.iter()
                    .zip(row.iter())
                    .all(|(key, (_, cell))| cell == key)
            });
            row.unwrap_or_else(|| panic!("no {metric}"))[3].1.clone()
        };
        let p99 = figures.functions[0].1.latency.p99;
        let Field::Double(found) = find("functions", Some("checkout"), "Latency.p99") else {
            panic!("no number");
        };
        assert!((found - p99.value).abs() < 1e-3);
        assert_eq!(
            find("run", None, "seed"),
            Field::Double(figures.seed as f64)
        );
        assert_eq!(find("gates", None, "0.metric"), Field::Null);
    }
}
