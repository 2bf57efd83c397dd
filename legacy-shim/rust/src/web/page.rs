//! What templates see of a request: the axum side of [`crate::templates::TemplateRequest`].

use std::sync::{Arc, MutexGuard};

use super::Context;
use crate::flash::FlashMessage;
use crate::routing::{Map, Value};
use crate::session::Session;
use crate::templates::{Page, TemplateRequest};
use crate::url::{Pairs, RequestUrl};

impl Context {
    /// Flask's globals for a template of this request. `current_user` is who an extractor found ([`super::CurrentUser`],
    /// [`super::Templates`] and the like), nobody if none was asked; `g` is empty.
    #[must_use]
    pub fn page(&self) -> Page {
        let mut page = Page::new(Arc::new(self.clone()));
        page.config = self.application().template_config.clone();
        if let Some(user) = self.shown_user() {
            page.current_user = user;
        }
        page
    }
}

impl TemplateRequest for Context {
    fn method(&self) -> &str {
        self.method()
    }

    fn url(&self) -> &RequestUrl {
        self.url()
    }

    fn endpoint(&self) -> Option<&str> {
        Some(self.endpoint())
    }

    fn view_args(&self) -> &[(String, Value)] {
        &self.0.view_args
    }

    fn args(&self) -> &Pairs {
        self.args()
    }

    fn form(&self) -> &Pairs {
        self.form()
    }

    fn header_names(&self) -> Vec<String> {
        self.0.headers.keys().map(|name| name.as_str().to_owned()).collect()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.header(name)
    }

    fn remote_addr(&self) -> Option<&str> {
        self.remote_addr()
    }

    fn map(&self) -> &Map {
        &self.application().map
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        self.session()
    }

    fn flashed_messages(&self, filter: &[&str]) -> Vec<FlashMessage> {
        self.flashed_messages(filter)
    }

    fn csrf_token(&self) -> Option<String> {
        self.application().csrf.as_ref().map(|_| self.csrf_token())
    }
}
