//! Plays a session of a corpus against a server, as a browser would: cookies are kept, CSRF tokens and hidden fields are
//! taken from the page that was just fetched, logins are done anew, and ids that the server gave stand for those recorded. A
//! page that the browser had kept already when it asked whether there is another one is fetched before that (`kept`); how
//! `{{..}}` and masks become what is sent is in `filled`.
//!
//! What is answered is compared by the caller: with what was recorded (`replayed`), or with what another server answered.

mod fields;
mod filled;
mod forged;
mod given;
mod kept;
mod people;
mod renames;
mod replayed;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::compare::{Answer, Asked};
use super::corpus::{Exchange, Session};

pub use forged::Forged;
pub use given::Given;
pub use people::{LoginForm, People, Person};
pub use renames::Renames;
pub use replayed::{plain, recorded_answer, replayed};
pub use target::Target;

use fields::Fields;
use filled::Filling;
use kept::Kept;

/// Most words that are remembered.
const MOST_SEEN: usize = 100_000;
/// Largest answer that is looked at.
const LARGEST: usize = 16 << 20;

/// Plays one session.
#[derive(Debug)]
pub struct Player<'p> {
    target: &'p Target,
    host: String,
    people: &'p People,
    patience: Duration,
    jar: BTreeMap<String, String>,
    fields: Fields,
    kept: Kept,
    /// The target that is asked for.
    asking: String,
    /// Words that pages have shown, by their masks.
    seen: BTreeMap<String, String>,
    /// Masks that were sent as they are: nobody said what they stand for.
    pub masks: BTreeSet<String>,
    /// Who logged in last.
    person: Option<String>,
    /// Ids that this server gave in the place of those recorded.
    pub renames: Renames,
}

/// A request on its way out, and the question as comparing needs it.
#[derive(Debug)]
pub struct Prepared {
    /// The request.
    pub request: http::Request<Bytes>,
    /// The question.
    pub asked: Asked,
    /// Headers that say what a browser has kept of a page, which was not fetched yet.
    pub lacking: Vec<(String, String)>,
}

/// An answer, and what was asked.
#[derive(Debug, Clone)]
pub struct Played {
    /// The question, as comparing needs it.
    pub asked: Asked,
    /// The answer.
    pub answer: Answer,
    /// How long it took.
    pub took: Duration,
}

impl<'p> Player<'p> {
    /// Nobody is logged in yet.
    pub fn new(target: &'p Target, host: &str, people: &'p People, patience: Duration) -> Self {
        let (jar, fields, kept, asking, seen, masks, renames) = Default::default();
        let (host, person) = (host.to_owned(), None);
        Self { target, host, people, patience, jar, fields, kept, asking, seen, masks, person, renames }
    }

    /// Logs in who was logged in when the session began.
    ///
    /// # Errors
    /// When that is not known, or the server does not take it.
    pub async fn begin(&mut self, session: &Session) -> Result<(), String> {
        let Some(user) = &session.user else { return Ok(()) };
        self.person = Some(user.clone());
        let form = self.people.login.as_ref().ok_or_else(|| {
            format!(
                "{} begins as `{user}`: [login] in the users' file must say where one logs in",
                session.name
            )
        })?;
        let page = Exchange { method: "GET".to_owned(), target: form.page.clone(), ..Exchange::default() };
        self.play(&page).await?;
        let mut fields: Vec<String> = form
            .fields
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace("}}", &format!(" {user}}}}}"))))
            .collect();
        if self.fields.csrf().is_some() {
            fields.push("csrf_token={{csrf}}".to_owned());
        }
        let login = Exchange {
            method: "POST".to_owned(),
            target: form.page.clone(),
            headers: vec![("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned())],
            body: fields.join("&").into_bytes(),
            ..Exchange::default()
        };
        let status = self.play(&login).await?.answer.status;
        if (300..400).contains(&status) {
            Ok(())
        } else {
            Err(format!(
                "{}: the login of `{user}` at {} was answered with {status}",
                session.name, form.page
            ))
        }
    }

    /// Goes on with this session.
    pub fn forge(&mut self, forged: &Forged, cookie: &str) {
        self.jar.insert(cookie.to_owned(), forged.cookie.clone());
        self.fields.set("csrf_token", &forged.token);
    }

    /// Sends one request and remembers what the answer says.
    ///
    /// # Errors
    /// When it cannot be sent as written, or nobody answers.
    pub async fn play(&mut self, exchange: &Exchange) -> Result<Played, String> {
        let target = self.target_of(exchange)?;
        if !self.kept.lacking(exchange, &target).is_empty() {
            self.send(&kept::first(exchange)).await?;
        }
        self.send(exchange).await
    }

    async fn send(&mut self, exchange: &Exchange) -> Result<Played, String> {
        let Prepared { request, asked, .. } = self.prepare(exchange)?;
        let begun = Instant::now();
        let answer = timeout(self.patience, self.ask(request.map(Full::new)))
            .await
            .map_err(|_| format!("no answer within {} s", self.patience.as_secs()))??;
        self.remember(&answer);
        self.notice_login(exchange);
        Ok(Played { asked, answer, took: begun.elapsed() })
    }

    /// The request as it is sent.
    ///
    /// # Errors
    /// When it cannot be sent as written.
    pub fn prepare(&mut self, exchange: &Exchange) -> Result<Prepared, String> {
        let target = self.target_of(exchange)?;
        self.asking.clone_from(&target);
        self.notice_masks(exchange);
        let lacking = self.kept.lacking(exchange, &target);
        let body = self.body(exchange)?;
        let cookies: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookies = cookies.join("; ");
        let mut request = http::Request::new(Bytes::from(body));
        *request.method_mut() =
            exchange.method.parse().map_err(|_| format!("`{}` is no method", exchange.method))?;
        *request.uri_mut() =
            target.parse().map_err(|error| format!("`{target}` cannot be asked for: {error}"))?;
        *request.headers_mut() = self.headers(exchange, &cookies)?;
        let asked = Asked { url: format!("http://{}{target}", self.host), cookies: cookies.into_bytes() };
        Ok(Prepared { request, asked, lacking })
    }

    fn target_of(&self, exchange: &Exchange) -> Result<String, String> {
        let target = self.people.given.target(&exchange.target);
        let target = self.fill(&self.unmasked(&target, Filling::Form), Filling::Form)?;
        Ok(self.renames.target(&target))
    }

    fn headers(&self, exchange: &Exchange, cookies: &str) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &exchange.headers {
            let value = self.fill(value, Filling::Plain)?;
            let name = HeaderName::try_from(name.as_str())
                .map_err(|_| format!("`{name}` is no name of a header"))?;
            let value =
                HeaderValue::try_from(&value).map_err(|_| format!("the value of {name} cannot be sent"))?;
            if !value.is_empty() {
                headers.append(name, value);
            }
        }
        if !cookies.is_empty() {
            let value =
                HeaderValue::try_from(cookies).map_err(|_| "the cookies cannot be sent".to_owned())?;
            headers.insert(http::header::COOKIE, value);
        }
        let host = HeaderValue::try_from(&self.host).map_err(|_| format!("`{}` is no host", self.host))?;
        headers.insert(http::header::HOST, host);
        headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
        Ok(headers)
    }

    async fn ask(&self, request: http::Request<Full<Bytes>>) -> Result<Answer, String> {
        let stream = self.target.connect().await?;
        let failed = |error: hyper::Error| format!("{} does not answer: {error}", self.target);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.map_err(failed)?;
        let (head, body) = response.into_parts();
        let collected = Limited::new(body, LARGEST).collect().await;
        connection.abort();
        let (body, complete) = match collected {
            Ok(body) => (body.to_bytes(), true),
            Err(_) => (Bytes::new(), false),
        };
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body, complete })
    }

    fn remember(&mut self, answer: &Answer) {
        for line in answer.headers.get_all(SET_COOKIE) {
            let Ok(line) = line.to_str() else { continue };
            let (pair, attributes) = line.split_once(';').unwrap_or((line, ""));
            let Some((name, value)) = pair.split_once('=') else { continue };
            let gone = attributes.to_ascii_lowercase().split(';').any(|part| part.trim() == "max-age=0");
            if gone || value.is_empty() {
                self.jar.remove(name.trim());
            } else {
                self.jar.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
        let html = answer
            .headers
            .get(http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.contains("html"));
        self.kept.learn(&self.asking, answer.status, &answer.headers);
        self.learn_words(answer);
        if html {
            self.fields.read(&String::from_utf8_lossy(&answer.body));
        }
    }

    /// Later `{{password self}}` means who logged in here.
    fn notice_login(&mut self, exchange: &Exchange) {
        let body = String::from_utf8_lossy(&exchange.body);
        if let Some((_, rest)) = body.split_once("{{login ")
            && let Some((person, _)) = rest.split_once("}}")
        {
            self.person = Some(person.to_owned());
        }
    }
}
