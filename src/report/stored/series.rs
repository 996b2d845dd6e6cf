//! The series in the document.

use super::cells::{Cell, Flat, read_column};
use super::read::{Part, Reading};
use super::write::Document;
use crate::engine::Span;
use crate::metrics::{
    FunctionSeries, Histogram, MappingSeries, Series, ShardSeries, VersionSeries,
};

/// The key of a table's number of rows, beside its columns.
pub(super) const ROWS: &str = "rows";

/// Rows that a series may have, several times what a run gives, so that a wrong number does not ask for all memory.
const ROWS_MAX: u64 = 2_000_000;

pub(super) fn write(document: &mut Document, series: &Series) {
    let Series {
        bin,
        warm_up,
        start,
        account,
        account_limit,
        functions,
        versions,
        mappings,
        faults,
        events,
    } = series;
    document.open('{');
    for (key, span) in [
        ("bin_ns", bin),
        ("warm_up_ns", warm_up),
        ("start_ns", start),
    ] {
        document.key(key);
        document.plain(span.as_nanos());
    }
    for (key, stretches) in [("faults", faults), ("events", events)] {
        document.key(key);
        document.open('[');
        for (name, from, to) in stretches {
            document.item();
            document.open('{');
            document.key("name");
            document.string(name);
            document.key("from_ns");
            document.plain(from.as_nanos());
            document.key("to_ns");
            document.plain(to.as_nanos());
            document.close('}');
        }
        document.close(']');
    }
    document.key("account_limit");
    document.plain(account_limit);
    document.key("account");
    document.table(account);
    document.key("functions");
    document.open('[');
    for one in functions {
        document.item();
        function(document, one);
    }
    document.close(']');
    document.key("versions");
    document.open('[');
    for VersionSeries { name, rows } in versions {
        document.item();
        document.open('{');
        document.key("name");
        document.string(name);
        document.key("bins");
        document.table(rows);
        document.close('}');
    }
    document.close(']');
    document.key("mappings");
    document.open('[');
    for one in mappings {
        document.item();
        mapping(document, one);
    }
    document.close(']');
    document.close('}');
}

fn function(document: &mut Document, function: &FunctionSeries) {
    let FunctionSeries {
        name,
        concurrency_limit,
        rows,
        asynchronous,
        minutes,
        latencies,
    } = function;
    document.open('{');
    document.key("name");
    document.string(name);
    document.key("concurrency_limit");
    document.plain(concurrency_limit);
    document.key("bins");
    document.table(rows);
    document.key("asynchronous");
    document.table(asynchronous);
    document.key("minutes");
    document.table(minutes);
    document.key("latencies");
    let counts: Vec<String> = latencies
        .counts()
        .map(|(value, times)| format!("[{value}, {times}]"))
        .collect();
    document.plain(format_args!("[{}]", counts.join(", ")));
    document.key("latency_max");
    document.plain(latencies.max());
    document.close('}');
}

fn mapping(document: &mut Document, mapping: &MappingSeries) {
    let MappingSeries {
        name,
        function,
        stream,
        kafka,
        in_flight_limit,
        rows,
        shards,
        other_shards,
    } = mapping;
    document.open('{');
    for (key, text) in [("name", name), ("function", function)] {
        document.key(key);
        document.string(text);
    }
    for (key, is) in [("stream", stream), ("kafka", kafka)] {
        document.key(key);
        document.plain(is);
    }
    document.key("in_flight_limit");
    document.plain(in_flight_limit);
    document.key("bins");
    document.table(rows);
    document.key("shards");
    document.open('[');
    for ShardSeries {
        number,
        share,
        levels,
    } in shards
    {
        document.item();
        document.open('{');
        document.key("number");
        document.plain(number);
        document.key("share");
        document.real(*share);
        document.key(ROWS);
        document.plain(levels.len());
        document.key("levels");
        document.column(levels);
        document.close('}');
    }
    document.close(']');
    if let Some(levels) = other_shards {
        document.key("other_shards");
        document.open('{');
        document.key(ROWS);
        document.plain(levels.len());
        document.key("levels");
        document.column(levels);
        document.close('}');
    }
    document.close('}');
}

pub(super) fn read(part: &Part<'_>) -> Reading<Series> {
    let span = |key| part.get(key)?.whole().map(Span::from_nanos);
    let stretches = |key| -> Reading<Vec<(String, Span, Span)>> {
        part.get(key)?.list(|part| {
            let at = |key| part.get(key)?.whole().map(Span::from_nanos);
            Ok((part.get("name")?.text()?, at("from_ns")?, at("to_ns")?))
        })
    };
    let bin = span("bin_ns")?;
    if bin == Span::ZERO {
        return part.get("bin_ns")?.refuse("a length above 0");
    }
    Ok(Series {
        bin,
        warm_up: span("warm_up_ns")?,
        start: span("start_ns")?,
        account: table(&part.get("account")?)?,
        account_limit: part.get("account_limit")?.number()?,
        functions: part.get("functions")?.list(|part| {
            Ok(FunctionSeries {
                name: part.get("name")?.text()?,
                concurrency_limit: part.get("concurrency_limit")?.number()?,
                rows: table(&part.get("bins")?)?,
                asynchronous: table(&part.get("asynchronous")?)?,
                minutes: table(&part.get("minutes")?)?,
                latencies: latencies(part)?,
            })
        })?,
        versions: part.get("versions")?.list(|part| {
            Ok(VersionSeries {
                name: part.get("name")?.text()?,
                rows: table(&part.get("bins")?)?,
            })
        })?,
        mappings: part.get("mappings")?.list(read_mapping)?,
        faults: stretches("faults")?,
        events: stretches("events")?,
    })
}

/// Middles of buckets in nanoseconds with how many latencies each holds; none in a result that knew none.
fn latencies(part: &Part<'_>) -> Reading<Histogram> {
    let Some(counts) = part.find("latencies")? else {
        return Ok(Histogram::default());
    };
    let counts = counts.list(|part| {
        let pair = part.list(Part::whole)?;
        match pair[..] {
            [value, times] => Ok((value, times)),
            _ => part.refuse("a value and how often it came"),
        }
    })?;
    let max = part.get("latency_max")?.whole()?;
    Ok(Histogram::restored(counts, max))
}

fn read_mapping(part: &Part<'_>) -> Reading<MappingSeries> {
    let shard = |part: &Part<'_>| {
        Ok(ShardSeries {
            number: part.get("number")?.number()?,
            share: part.get("share")?.real()?,
            levels: levels(part)?,
        })
    };
    Ok(MappingSeries {
        name: part.get("name")?.text()?,
        function: part.get("function")?.text()?,
        stream: part.get("stream")?.truth()?,
        kafka: part.get("kafka")?.truth()?,
        in_flight_limit: part.get("in_flight_limit")?.number()?,
        rows: table(&part.get("bins")?)?,
        shards: part.get("shards")?.list(shard)?,
        other_shards: match part.find("other_shards")? {
            Some(part) => Some(levels(&part)?),
            None => None,
        },
    })
}

fn rows(part: &Part<'_>) -> Reading<usize> {
    let count = part.get(ROWS)?;
    match count.whole()? {
        rows if rows <= ROWS_MAX => Ok(rows as usize),
        _ => count.refuse(&format!("at most {ROWS_MAX}")),
    }
}

fn levels(part: &Part<'_>) -> Reading<Vec<f32>> {
    let rows = rows(part)?;
    let part = part.get("levels")?;
    let mut cells = part.column(rows)?.into_iter();
    Ok(std::iter::from_fn(|| f32::take(&mut cells)).collect())
}

/// Rows from their columns. A column that is missing was not there yet when the file was written.
fn table<R: Flat>(part: &Part<'_>) -> Reading<Vec<R>> {
    let rows = rows(part)?;
    let mut names = Vec::new();
    R::names("", &mut names);
    let mut columns = Vec::with_capacity(names.len());
    for name in &names {
        columns.push(match part.find(name)? {
            Some(part) => Some(part.column(rows)?),
            None => None,
        });
    }
    (0..rows)
        .map(|row| {
            let mut taken = 0;
            let mut cells = columns.iter().map(|column| {
                taken += 1;
                column.as_ref().map_or(Cell::Whole(0), |cells| cells[row])
            });
            let read = R::take(&mut cells);
            read.map_or_else(
                || {
                    let name = names.get(taken - 1).map_or("", String::as_str);
                    part.get(name)?
                        .refuse(&format!("a smaller or a whole number as value {row}"))
                },
                Ok,
            )
        })
        .collect()
}

impl Part<'_> {
    fn column(&self, rows: usize) -> Reading<Vec<Cell>> {
        read_column(self.value, rows)
            .map_err(|[at, found, expected]| self.wrong(&at, found, &expected))
    }
}
