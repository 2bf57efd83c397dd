//! Where traces go: our keys, else the variables that every OpenTelemetry SDK reads.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostic::{Report, Value};

use super::layers::Layers;
use super::{Secret, Telemetry};

/// The collector's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path that spans are posted to.
    pub path: String,
}

impl Endpoint {
    /// Host and port, as a request names them.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

/// Which requests are traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampler {
    /// Whether the decision of whoever asks us counts, if there is one.
    parent_based: bool,
    /// Of the trace ids' last 63 bits, those below this.
    bound: u64,
}

impl Sampler {
    /// A share of the traces that begin here; those that are continued as their beginner decided.
    pub fn new(parent_based: bool, share: f64) -> Self {
        // The cast saturates: a share of one takes all.
        let bound = if share >= 1.0 { u64::MAX } else { (share.max(0.0) * (1u64 << 63) as f64) as u64 };
        Self { parent_based, bound }
    }

    /// Whether to keep a trace; `caller`: what the one who began it decided.
    pub fn samples(&self, trace: u128, caller: Option<bool>) -> bool {
        match caller {
            Some(decided) if self.parent_based => decided,
            _ => (trace as u64) >> 1 < self.bound,
        }
    }
}

/// `None` in the outer option: something is wrong, and reported.
pub(super) fn read(layers: &Layers<'_>, report: &mut Report) -> Option<Option<Telemetry>> {
    let otel = |name: &str| layers.environment(name);
    let disabled = otel("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"))
        || otel("OTEL_TRACES_EXPORTER") == Some("none");
    let sampler = sampler(layers, report);
    let service = layers.value("telemetry.service_name").map(|value| value.text(report));
    let endpoint = endpoint(layers, report)?;
    let (sampler, service) = (sampler?, service.map_or(Some(None), |text| text.map(Some))?);
    let Some(endpoint) = endpoint.filter(|_| !disabled) else { return Some(None) };
    let number = |name: &str, usual: u64| otel(name).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let traces = |name: &str, fallback: &str| otel(name).or_else(|| otel(fallback));
    let headers = traces("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
    let headers = headers.map(pairs).unwrap_or_default();
    let certificate = traces("OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE");
    let timeout = number("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", number("OTEL_EXPORTER_OTLP_TIMEOUT", 10_000));
    let batch = number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512).clamp(1, 100_000);
    Some(Some(Telemetry {
        endpoint,
        headers: headers.into_iter().map(|(name, value)| (name, Secret(value))).collect(),
        certificate: certificate.map(PathBuf::from),
        resource: resource(layers, service),
        sampler,
        timeout: Duration::from_millis(timeout.max(1)),
        queue: usize::try_from(number("OTEL_BSP_MAX_QUEUE_SIZE", 2_048).clamp(1, 1_000_000)).ok()?,
        batch: usize::try_from(batch).ok()?,
        delay: Duration::from_millis(number("OTEL_BSP_SCHEDULE_DELAY", 5_000)),
    }))
}

fn endpoint(layers: &Layers<'_>, report: &mut Report) -> Option<Option<Endpoint>> {
    if let Some(value) = layers.value("telemetry.otlp_endpoint") {
        return match value.text(report)?.as_str() {
            "off" => Some(None),
            _ => value.parsed(report, |text| address(text, true)).map(Some),
        };
    }
    let traces = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
    let (name, add_path) = match layers.environment(traces) {
        Some(_) => (traces, false),
        None => ("OTEL_EXPORTER_OTLP_ENDPOINT", true),
    };
    let Some(text) = layers.environment(name) else { return Some(None) };
    for name in ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"] {
        if let Some("grpc") = layers.environment(name) {
            let value = Value::from_text(name, &format!("{name}="), "grpc");
            report
                .error(value.place(), "traces are sent as `http/protobuf` only")
                .help("collectors take that on port 4318 and `grpc` on port 4317");
            return None;
        }
    }
    let value = Value::from_text(name, &format!("{name}="), text);
    value.parsed(report, |text| address(text, add_path)).map(Some)
}

/// `http://host:4318`, or with the path of an HTTP receiver.
fn address(text: &str, add_path: bool) -> Result<Endpoint, String> {
    let wrong = || format!("`{text}` is not a collector: write `http://HOST:4318` or `https://HOST/PATH`");
    let endpoint = url(text, 4_318).ok_or_else(wrong)?;
    let path = match endpoint.path.trim_end_matches('/') {
        path if add_path && !path.ends_with("/v1/traces") => format!("{path}/v1/traces"),
        "" => "/".to_owned(),
        path => path.to_owned(),
    };
    Ok(Endpoint { path, ..endpoint })
}

/// `http://host/path`: a receiver of webhooks.
pub(super) fn receiver(text: &str) -> Result<Endpoint, String> {
    let wrong = || format!("`{text}` is no address: write `http://HOST/PATH`, `https://HOST/PATH` or `off`");
    url(text, 80).ok_or_else(wrong)
}

/// An address without user, query and fragment; its path begins with a slash.
fn url(text: &str, plain_port: u16) -> Option<Endpoint> {
    let (tls, rest) = match (text.strip_prefix("http://"), text.strip_prefix("https://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return None,
    };
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    if authority.contains('@') || path.contains(['?', '#']) || path.contains(char::is_whitespace) {
        return None;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, if tls { 443 } else { plain_port }),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || port == 0 || host.contains(char::is_whitespace) {
        return None;
    }
    Some(Endpoint { tls, host: host.to_owned(), port, path: path.to_owned() })
}

fn sampler(layers: &Layers<'_>, report: &mut Report) -> Option<Sampler> {
    if let Some(value) = layers.value("telemetry.sample") {
        return value.number(0.0, 1.0, report).map(|share| Sampler::new(true, share));
    }
    let share = layers.environment("OTEL_TRACES_SAMPLER_ARG").and_then(|text| text.parse().ok());
    let share = share.unwrap_or(1.0);
    Some(match layers.environment("OTEL_TRACES_SAMPLER").unwrap_or("parentbased_always_on") {
        "always_on" => Sampler::new(false, 1.0),
        "always_off" => Sampler::new(false, 0.0),
        "traceidratio" => Sampler::new(false, share),
        "parentbased_always_on" => Sampler::new(true, 1.0),
        "parentbased_always_off" => Sampler::new(true, 0.0),
        "parentbased_traceidratio" => Sampler::new(true, share),
        other => {
            let value = Value::from_text("OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER=", other);
            let error = report.error(value.place(), format!("there is no sampler `{other}`"));
            error.help("write `parentbased_traceidratio`, `parentbased_always_on` or `always_off`");
            return None;
        }
    })
}

fn resource(layers: &Layers<'_>, service: Option<String>) -> Vec<(String, String)> {
    let mut resource = pairs(layers.environment("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default());
    let service = service.or_else(|| layers.environment("OTEL_SERVICE_NAME").map(str::to_owned));
    match service {
        Some(name) => {
            resource.retain(|(key, _)| key != "service.name");
            resource.push(("service.name".to_owned(), name));
        }
        None if resource.iter().any(|(key, _)| key == "service.name") => {}
        None => resource.push(("service.name".to_owned(), "ficus".to_owned())),
    }
    if !resource.iter().any(|(key, _)| key == "service.version") {
        resource.push(("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()));
    }
    resource
}

/// `a=1,b=2`, percent-encoded as OpenTelemetry wants it.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((name.trim().to_ascii_lowercase(), decoded(value.trim())))
    };
    text.split(',').filter_map(pair).filter(|(name, _)| !name.is_empty()).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = (*first == b'%').then(|| tail.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_collectors() {
        for (text, add_path, expected) in [
            ("http://127.0.0.1:4318", true, "http://127.0.0.1:4318/v1/traces"),
            ("http://collector", true, "http://collector:4318/v1/traces"),
            ("https://otel.example/tenant/", true, "https://otel.example:443/tenant/v1/traces"),
            ("http://[::1]:4318/v1/traces", true, "http://[::1]:4318/v1/traces"),
            ("http://collector:1/spans", false, "http://collector:1/spans"),
            ("http://collector:1", false, "http://collector:1/"),
        ] {
            assert_eq!(address(text, add_path).unwrap().to_string(), expected);
        }
        for wrong in ["collector:4317", "grpc://x", "http://", "http://u:p@x", "http://x/?a=b", "http://x:y"]
        {
            assert!(address(wrong, true).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_share_of_what_begins_here_and_all_that_is_continued() {
        let quarter = Sampler::new(true, 0.25);
        let low = |part: u64| u128::from(part);
        assert!(quarter.samples(low(1 << 60), None));
        assert!(!quarter.samples(low(u64::MAX), None));
        assert!(quarter.samples(low(u64::MAX), Some(true)));
        assert!(!quarter.samples(low(0), Some(false)));
        assert!(Sampler::new(true, 1.0).samples(u128::MAX, None));
        assert!(!Sampler::new(true, 0.0).samples(0, None));
        assert!(!Sampler::new(false, 0.0).samples(0, Some(true)));
    }

    #[test]
    fn pairs_are_decoded() {
        let expected = [("authorization", "Bearer a,b"), ("x", "1%zz")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(pairs("Authorization=Bearer%20a%2Cb, x=1%zz,,nonsense"), expected);
    }
}
