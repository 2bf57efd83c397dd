//! Findings as text for people, in rustc's manner.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::{Diagnostic, Severity};

pub(super) fn render(findings: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for finding in findings {
        text.push_str(&renderer.render(&[group(finding)]));
        text.push_str("\n\n");
    }
    text
}

fn group(finding: &Diagnostic) -> Group<'_> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = level.primary_title(finding.message.as_str()).elements(Vec::<Origin<'_>>::new());
    let source = finding.place.source();
    if source.text().is_empty() {
        group = group.element(Origin::path(source.name()));
    } else {
        let mut snippet = Snippet::source(source.shown())
            .path(source.name())
            .annotation(AnnotationKind::Primary.span(finding.place.span()).label(finding.label.as_str()));
        let related = finding.related.as_ref();
        if let Some((place, label)) = related.filter(|(place, _)| place.source().name() == source.name()) {
            snippet = snippet.annotation(AnnotationKind::Context.span(place.span()).label(label.as_str()));
        }
        group = group.element(snippet);
    }
    match &finding.help {
        Some(help) => group.element(Level::HELP.message(help.as_str())),
        None => group,
    }
}
