//! What one request puts into every template: Flask's globals and the context processors of Flask-Login and Flask-WTF.

use std::sync::{Arc, MutexGuard};

use minijinja::value::{Enumerator, Kwargs, Object, Rest};
use minijinja::{Error, ErrorKind, Value};

use super::objects::{GView, RequestView, SessionView, from_session, url_for};
use crate::flash::FlashMessage;
use crate::routing::{self, Map};
use crate::session::Session;
use crate::url::{Pairs, RequestUrl};

/// A request as templates need it. axum's context implements it; tests and command-line tools may bring their own.
pub trait TemplateRequest: Send + Sync {
    /// `request.method`.
    fn method(&self) -> &str;
    /// `request.url` and its parts.
    fn url(&self) -> &RequestUrl;
    /// `request.endpoint`.
    fn endpoint(&self) -> Option<&str>;
    /// `request.view_args`.
    fn view_args(&self) -> &[(String, routing::Value)];
    /// `request.args`.
    fn args(&self) -> &Pairs;
    /// `request.form`.
    fn form(&self) -> &Pairs;
    /// The names of `request.headers`.
    fn header_names(&self) -> Vec<String>;
    /// One of `request.headers`, whatever its case.
    fn header(&self, name: &str) -> Option<&str>;
    /// `request.remote_addr`.
    fn remote_addr(&self) -> Option<&str>;
    /// The URL map behind `url_for`.
    fn map(&self) -> &Map;
    /// The session.
    fn session(&self) -> MutexGuard<'_, Session>;
    /// `get_flashed_messages`: the same messages at every call of a request, all for an empty filter.
    fn flashed_messages(&self, filter: &[&str]) -> Vec<FlashMessage>;
    /// `csrf_token()`: the same text at every call of a request. `None`: the application has no CSRFProtect.
    fn csrf_token(&self) -> Option<String>;

    /// `request.blueprint`.
    fn blueprint(&self) -> Option<&str> {
        self.endpoint()?.rsplit_once('.').map(|(blueprint, _)| blueprint)
    }
}

/// Names that every template of a request finds: `url_for`, `get_flashed_messages`, `csrf_token`, `request`, `session`,
/// `g`, `config`, `current_user`. The fields are the last three.
#[derive(Clone)]
pub struct Page {
    /// The request.
    pub request: Arc<dyn TemplateRequest>,
    /// `current_user`: see [`super::authenticated_user`] and [`super::anonymous_user`].
    pub current_user: Value,
    /// `g`: a dictionary.
    pub g: Value,
    /// `config`: a dictionary of what templates may see.
    pub config: Value,
}

impl Page {
    /// A page that nobody is logged in to, with empty `g` and `config`.
    pub fn new(request: Arc<dyn TemplateRequest>) -> Self {
        let nothing = || Value::from_pairs(Vec::<(&str, Value)>::new());
        Self { request, current_user: super::anonymous_user(), g: nothing(), config: nothing() }
    }
}

impl std::fmt::Debug for Page {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Page").field("path", &self.request.url().path).finish_non_exhaustive()
    }
}

const NAMES: [&str; 8] =
    ["url_for", "get_flashed_messages", "csrf_token", "request", "session", "g", "config", "current_user"];

impl Object for Page {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let page = Arc::clone(self);
        Some(match key {
            "request" => Value::from_object(RequestView::new(Arc::clone(&self.request))),
            "session" => Value::from_object(SessionView::new(Arc::clone(&self.request))),
            "current_user" => self.current_user.clone(),
            "g" => Value::from_object(GView::new(self.g.clone())),
            "config" => self.config.clone(),
            "url_for" => Value::from_function(move |endpoint: String, values: Kwargs| {
                url_for(&page, &endpoint, &values)
            }),
            "get_flashed_messages" => {
                Value::from_function(move |args: Rest<Value>, options: Kwargs| page.flashed(&args, &options))
            }
            "csrf_token" => {
                self.request.csrf_token()?;
                Value::from_function(move || page.request.csrf_token())
            }
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&NAMES)
    }
}

impl Page {
    /// `get_flashed_messages(with_categories=False, category_filter=())`.
    fn flashed(&self, args: &[Value], options: &Kwargs) -> Result<Value, Error> {
        let pick = |at: usize, name: &str| -> Result<Option<Value>, Error> {
            let named: Option<Value> = options.get(name)?;
            Ok(args.get(at).cloned().or(named))
        };
        let with_categories = pick(0, "with_categories")?.is_some_and(|value| value.is_true());
        let wanted: Vec<String> = match pick(1, "category_filter")? {
            Some(list) => list.try_iter()?.map(|item| item.to_string()).collect(),
            None => Vec::new(),
        };
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let found = self.request.flashed_messages(&wanted);
        let shown = found.iter().map(|flash| {
            let message = from_session(&flash.message);
            if with_categories {
                Value::from(minijinja::value::Tuple::new(vec![from_session(&flash.category), message]))
            } else {
                message
            }
        });
        Ok(shown.collect())
    }
}

/// An error with a plain message.
pub(crate) fn failed(message: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.to_string())
}
