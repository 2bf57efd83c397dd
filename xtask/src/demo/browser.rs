//! What a simulated user has instead of a browser: cookies, and just enough reading of HTML to find a CSRF token, a
//! link and a chosen option.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::http::{Address, Answer, Request};

/// The dashboard may take seconds with the large seed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Cookies of one person.
pub(super) struct Browser {
    proxy: Address,
    cookies: BTreeMap<String, String>,
}

/// A page, as far as it matters.
pub(super) struct Page {
    pub(super) status: u16,
    /// Which backend answered, when the proxy reveals it.
    pub(super) backend: Option<String>,
    /// The path of a redirect.
    pub(super) location: Option<String>,
    body: String,
}

impl Browser {
    pub(super) fn new(proxy: Address) -> Self {
        Self { proxy, cookies: BTreeMap::new() }
    }

    /// Drops all cookies.
    pub(super) fn forget(&mut self) {
        self.cookies.clear();
    }

    pub(super) fn get(&mut self, target: &str) -> Option<Page> {
        self.send(Request::get(target))
    }

    pub(super) fn post(&mut self, target: &str, form: Vec<(&'static str, String)>) -> Option<Page> {
        self.send(Request::post(target, form))
    }

    /// A POST as the CRM's script makes it.
    pub(super) fn ajax(&mut self, target: &str, token: &str) -> Option<Page> {
        let mut request = Request::post(target, Vec::new());
        request.headers.push(("X-CSRFToken", token.to_owned()));
        request.headers.push(("X-Requested-With", "XMLHttpRequest".into()));
        self.send(request)
    }

    fn send(&mut self, mut request: Request) -> Option<Page> {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request.headers.push(("Cookie", cookies.join("; ")));
        }
        let answer = request.send(&self.proxy, PATIENCE).ok()?;
        self.keep_cookies(&answer);
        let location = answer.header("location").map(|target| path_of(target).to_owned());
        let backend = answer.header("x-ficus-backend").map(str::to_owned);
        Some(Page { status: answer.status, backend, location, body: answer.body })
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        for (_, value) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            if let Some((name, value)) = value.split(';').next().and_then(|pair| pair.split_once('=')) {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

/// `http://localhost/customers/7` -> `/customers/7`.
fn path_of(target: &str) -> &str {
    let Some((_, rest)) = target.split_once("://") else { return target };
    rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/")
}

impl Page {
    /// The token every page carries in its head.
    pub(super) fn csrf_token(&self) -> String {
        self.after("<meta name=\"csrf-token\" content=\"").unwrap_or_default().to_owned()
    }

    /// The value of the first attribute of this name.
    pub(super) fn attribute(&self, name: &str) -> Option<String> {
        self.after(&format!("{name}=\"")).map(str::to_owned)
    }

    fn after(&self, start: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(start)?;
        rest.split('"').next()
    }

    /// Links like `/customers/7`.
    pub(super) fn numbered_links(&self, prefix: &str) -> Vec<String> {
        let numbered = |link: &&str| {
            link.strip_prefix(prefix)
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        self.links().filter(numbered).map(str::to_owned).collect()
    }

    /// The first link that contains the words.
    pub(super) fn link_with(&self, words: &str) -> Option<String> {
        self.links().find(|link| link.contains(words)).map(|link| link.replace("&amp;", "&"))
    }

    fn links(&self) -> impl Iterator<Item = &str> {
        self.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next())
    }

    /// What a select field shows: the selected option, else the first one.
    pub(super) fn chosen_option(&self, field: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(&format!("name=\"{field}\""))?;
        let select = rest.split("</select>").next()?;
        let mut options: Vec<&str> = select.split("<option").skip(1).collect();
        options.sort_by_key(|option| !option.split('>').next().is_some_and(|tag| tag.contains("selected")));
        let (_, value) = options.first()?.split_once("value=\"")?;
        value.split('"').next().map(str::to_owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(body: &str) -> Page {
        Page { status: 200, backend: None, location: None, body: body.into() }
    }

    #[test]
    fn reads_what_a_person_would_click_on() {
        let body = "<meta name=\"csrf-token\" content=\"tok\"><a href=\"/customers/7\"><a href=\"/customers/new\">\
                    <select id=\"o\" name=\"owner_id\"><option value=\"1\">A</option><option selected value=\"2\">B</option></select>";
        let page = page(body);
        assert_eq!(page.csrf_token(), "tok");
        assert_eq!(page.numbered_links("/customers/"), ["/customers/7"]);
        assert_eq!(page.link_with("customers/n").as_deref(), Some("/customers/new"));
        assert_eq!(page.chosen_option("owner_id").as_deref(), Some("2"));
        assert_eq!(page.attribute("data-url"), None);
    }

    #[test]
    fn a_redirect_is_followed_by_its_path() {
        assert_eq!(path_of("http://localhost:8080/customers/7?x=1"), "/customers/7?x=1");
        assert_eq!(path_of("/auth/login"), "/auth/login");
    }
}
