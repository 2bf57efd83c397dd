//! Plays a session of a corpus against a server, as a browser would: cookies are kept, CSRF tokens and hidden fields are
//! taken from the page that was just fetched, logins are done anew, and ids that the server gave stand for those recorded.
//!
//! What is answered is compared by the caller: with what was recorded (`replayed`), or with what another server answered.

mod fields;
mod forged;
mod people;
mod renames;
mod replayed;
mod target;

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue, SET_COOKIE};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use regex::Regex;
use tokio::time::timeout;

use super::compare::{Answer, Asked};
use super::corpus::{Exchange, Session};

pub use forged::Forged;
pub use people::{LoginForm, People, Person};
pub use renames::Renames;
pub use replayed::{plain, recorded_answer, replayed};
pub use target::Target;

use fields::Fields;

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
    /// The newest ETag of each path.
    etags: BTreeMap<String, String>,
    /// The path that is asked for.
    asking: String,
    /// Words that pages have shown, by their masks.
    seen: BTreeMap<String, String>,
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
        let (jar, fields, etags, asking, seen, renames) = Default::default();
        let host = host.to_owned();
        Self { target, host, people, patience, jar, fields, etags, asking, seen, person: None, renames }
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
        let Prepared { request, asked } = self.prepare(exchange)?;
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
        let target = self.fill(&self.unmasked(&exchange.target, Filling::Form), Filling::Form)?;
        let target = self.renames.target(&target);
        target.split('?').next().unwrap_or_default().clone_into(&mut self.asking);
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
        Ok(Prepared { request, asked })
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
        if let Some(etag) = answer.headers.get(http::header::ETAG).and_then(|value| value.to_str().ok()) {
            self.etags.insert(self.asking.clone(), etag.to_owned());
        }
        self.learn_words(answer);
        if html {
            self.fields.read(&String::from_utf8_lossy(&answer.body));
        }
    }

    /// What somebody typed in is masked in a recording. Where pages show the same word, it can be sent as it was.
    fn learn_words(&mut self, answer: &Answer) {
        let Some(masker) = self.people.masker.as_ref().filter(|masker| masker.is_live()) else { return };
        let Ok(text) = std::str::from_utf8(&answer.body) else { return };
        if self.seen.len() < MOST_SEEN {
            self.seen.extend(masker.originals(text));
        }
    }

    fn unmasked(&self, text: &str, filling: Filling) -> String {
        static WORD: LazyLock<Option<Regex>> =
            LazyLock::new(|| Regex::new(r"\{\{[^{}]*\}\}|%[0-9A-Fa-f]{2}|[A-Za-z0-9]{5,}").ok());
        let (Some(words), false) = (WORD.as_ref(), self.seen.is_empty()) else { return text.to_owned() };
        let original = |found: &regex::Captures<'_>| match (self.seen.get(&found[0]), filling) {
            (None, _) => found[0].to_owned(),
            (Some(word), Filling::Form) => super::corpus::encode(word),
            (Some(word), _) => word.clone(),
        };
        words.replace_all(text, original).into_owned()
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

    fn body(&self, exchange: &Exchange) -> Result<Vec<u8>, String> {
        let Ok(text) = std::str::from_utf8(&exchange.body) else { return Ok(exchange.body.clone()) };
        if exchange.is_form() {
            let text = self.unmasked(text, Filling::Form);
            return Ok(self.renames.form(&self.fill(&text, Filling::Form)?).into_bytes());
        }
        let json = exchange.header("content-type").is_some_and(|value| value.contains("json"));
        if json {
            let text = self.unmasked(text, Filling::Json);
            return Ok(self.renames.document(&self.fill(&text, Filling::Json)?).into_bytes());
        }
        Ok(self.fill(text, Filling::Plain)?.into_bytes())
    }

    /// Puts values in the place of `{{..}}`.
    fn fill(&self, text: &str, filling: Filling) -> Result<String, String> {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, end)) = after.split_once("}}") else { break };
            out.push_str(before);
            let (kind, argument) = name.trim().split_once(' ').unwrap_or((name.trim(), ""));
            let value = self.value(kind, argument.trim())?;
            match filling {
                Filling::Form => out.push_str(&super::corpus::encode(&value)),
                Filling::Json => {
                    let quoted = serde_json::Value::String(value).to_string();
                    out.push_str(&quoted[1..quoted.len() - 1]);
                }
                Filling::Plain => out.push_str(&value),
            }
            rest = end;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&self, kind: &str, argument: &str) -> Result<String, String> {
        let person = || match argument {
            "" | "self" => self.person.as_deref().unwrap_or("self"),
            name => name,
        };
        match kind {
            "csrf" => self
                .fields
                .csrf()
                .ok_or_else(|| "no page of this session has shown a CSRF token yet".to_owned()),
            "field" => self
                .fields
                .get(argument)
                .ok_or_else(|| format!("no page of this session has shown a hidden field `{argument}` yet")),
            "login" => Ok(self.people.find(person())?.login.clone()),
            "password" => self.people.password(person()),
            "token" => self.people.token(argument),
            "etag" => Ok(self.etags.get(&self.asking).cloned().unwrap_or_default()),
            // Bytes that were not recorded.
            "bytes" | "secret" | "cookie" => Ok(String::new()),
            other => Err(format!("`{{{{{other}}}}}` stands for nothing that is known")),
        }
    }
}

/// How a value is written where it goes.
#[derive(Debug, Clone, Copy)]
enum Filling {
    Form,
    Json,
    Plain,
}
