//! Logs on standard error: lines for people, or one JSON object per line.

use super::{colour_on_stderr, say};
use crate::scenario::Report;
use clap::ValueEnum;
use serde_json::{Map, Value};
use std::fmt;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The form of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line: timestamp, level, message, and the fields mapping, shard, batch and request where they apply.
    Json,
}

/// Whether something may be logged. Libraries are heard from `info` on, whatever RUST_LOG says: below that, clients of
/// brokers write down the logins that they send.
fn is_fit(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("tidegate") || *metadata.level() <= Level::INFO
}

/// Logs from `level` on, unless RUST_LOG says it in detail.
pub(super) fn log_to_stderr(format: LogFormat, level: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let common = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => common
            .with_ansi(colour_on_stderr())
            .with_target(false)
            .finish()
            .with(filter_fn(is_fit))
            .init(),
        LogFormat::Json => common
            .with_ansi(false)
            .fmt_fields(JsonFields)
            .event_format(JsonLines)
            .finish()
            .with(filter_fn(is_fit))
            .init(),
    }
}

/// Shows findings about a file in the form of the log.
pub(super) fn show_findings(format: LogFormat, report: &Report) {
    match format {
        LogFormat::Text => {
            let rendered = report.render(colour_on_stderr());
            say(format_args!("{}", rendered.trim_end()));
        }
        LogFormat::Json => {
            let diagnostics = report.render(false);
            tracing::warn!(diagnostics = diagnostics.trim_end(), "findings in the file");
        }
    }
}

/// Fields of spans as a JSON object.
#[derive(Debug)]
struct JsonFields;

impl<'writer> FormatFields<'writer> for JsonFields {
    fn format_fields<R: RecordFields>(
        &self,
        mut writer: Writer<'writer>,
        fields: R,
    ) -> fmt::Result {
        let mut found = Fields::default();
        fields.record(&mut found);
        write!(writer, "{}", Value::Object(found.0))
    }
}

/// Events as lines. What an event says itself takes precedence over the spans around it, and inner spans over outer ones.
#[derive(Debug)]
struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let mut line = Fields::default();
        let level = event.metadata().level().to_string();
        line.0.insert("timestamp".to_owned(), Value::String(time));
        line.0.insert("level".to_owned(), Value::String(level));
        for span in context
            .event_scope()
            .into_iter()
            .flat_map(|scope| scope.from_root())
        {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            // What is recorded later stands behind the first object.
            let objects = fields.map_or("", |it| it.fields.as_str());
            let objects = serde_json::Deserializer::from_str(objects).into_iter::<Map<_, _>>();
            line.0.extend(objects.flatten().flatten());
        }
        event.record(&mut line);
        writeln!(writer, "{}", Value::Object(line.0))
    }
}

#[derive(Debug, Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, value.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("nobody panicked").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_one_object_with_the_fields_of_its_spans() {
        let sink = Sink::default();
        let to = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || to.clone())
            .fmt_fields(JsonFields)
            .event_format(JsonLines)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let shard = tracing::field::Empty;
            let span = tracing::error_span!("invocation", mapping = "clicks", shard, batch = 7_u64);
            span.record("shard", "shard-0");
            let _in = span.enter();
            tracing::warn!(mapping = "other", error = %"a \"bad\"\nday", records = 3, ?span, "it failed");
        });
        let text = String::from_utf8(sink.0.lock().expect("nobody panicked").clone());
        let text = text.expect("text");
        assert_eq!(text.lines().count(), 1, "{text}");
        let line: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(line["level"], "WARN");
        assert_eq!(line["message"], "it failed");
        assert_eq!(line["mapping"], "other", "the event itself says so");
        assert_eq!(
            (&line["batch"], &line["records"]),
            (&Value::from(7), &Value::from(3))
        );
        assert_eq!(line["shard"], "shard-0");
        assert_eq!(line["error"], "a \"bad\"\nday");
        let timestamp = line["timestamp"].as_str().expect("a time");
        assert!(
            timestamp.ends_with('Z') && timestamp.contains('T'),
            "{timestamp}"
        );
    }
}
