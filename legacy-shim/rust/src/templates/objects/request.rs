//! `request` and `g`.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::pairs::PairsView;
use super::url_for::from_routing;
use crate::templates::page::TemplateRequest;

/// `flask.request`.
pub(in crate::templates) struct RequestView {
    info: Arc<dyn TemplateRequest>,
}

impl RequestView {
    pub(in crate::templates) fn new(info: Arc<dyn TemplateRequest>) -> Self {
        Self { info }
    }

    fn header(&self, name: &str) -> Option<Value> {
        self.info.header(name).map(Value::from)
    }
}

impl fmt::Debug for RequestView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestView")
    }
}

impl Object for RequestView {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let info = &self.info;
        let url = info.url();
        Some(match key.as_str()? {
            "path" => Value::from(url.path.as_str()),
            "full_path" => Value::from(url.full_path()),
            "url" => Value::from(url.url()),
            "base_url" => Value::from(url.base_url()),
            "host_url" | "url_root" | "root_url" => Value::from(url.host_url()),
            "host" => Value::from(url.host.as_str()),
            "scheme" => Value::from(url.scheme.as_str()),
            "is_secure" => Value::from(url.is_secure()),
            "query_string" => Value::from_bytes(url.query.clone().into_bytes()),
            "script_root" | "root_path" => Value::from(""),
            "method" => Value::from(info.method()),
            "endpoint" => Value::from(info.endpoint().map(str::to_owned)),
            "blueprint" => Value::from(info.blueprint().map(str::to_owned)),
            "view_args" => Value::from_pairs(
                info.view_args().iter().map(|(name, value)| (name.as_str(), from_routing(value))),
            ),
            "args" => Value::from_object(PairsView(info.args().clone())),
            "form" => Value::from_object(PairsView(info.form().clone())),
            "values" => {
                let all = info.args().0.iter().chain(&info.form().0).cloned().collect();
                Value::from_object(PairsView(crate::url::Pairs(all)))
            }
            "headers" => Value::from_object(Headers(Arc::clone(self))),
            "referrer" => self.header("referer").unwrap_or_else(|| Value::from(())),
            "user_agent" => self.header("user-agent").unwrap_or_else(|| Value::from("")),
            "remote_addr" => Value::from(info.remote_addr().map(str::to_owned)),
            "is_xhr" => Value::from(
                self.header("x-requested-with").is_some_and(|with| with.as_str() == Some("XMLHttpRequest")),
            ),
            _ => return None,
        })
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Request '{}' [{}]>", self.info.url().url(), self.info.method())
    }
}

/// `request.headers`, whose names have no case.
#[derive(Debug)]
struct Headers(Arc<RequestView>);

impl Object for Headers {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.header(key.as_str()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.info.header_names().into_iter().map(Value::from).collect())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        if method != "get" {
            return Err(Error::from(ErrorKind::UnknownMethod));
        }
        let (name, default): (String, Option<Value>) = from_args(args)?;
        Ok(self.0.header(&name).unwrap_or_else(|| default.unwrap_or_else(|| Value::from(()))))
    }
}

/// `flask.g`: attributes, and `get()` with a default.
#[derive(Debug)]
pub(in crate::templates) struct GView(Value);

impl GView {
    pub(in crate::templates) fn new(values: Value) -> Self {
        Self(values)
    }
}

impl Object for GView {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get_item(key).ok().filter(|value| !value.is_undefined())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.try_iter().into_iter().flatten().collect())
    }
}
