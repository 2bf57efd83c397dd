//! The field classes of WTForms, by name: each function starts the declaration of one field.

use super::field::{FieldSpec, Kind};
use super::widget::Widget;

macro_rules! kinds {
    ($($(#[$doc:meta])* $function:ident: $kind:ident, $class:literal, $widget:expr;)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $function(name: &str) -> FieldSpec {
                let mut field = FieldSpec::new(name, Kind::$kind, $class);
                field.widget = $widget;
                field
            }
        )*
    };
}

kinds! {
    /// `StringField`.
    string: Text, "StringField", None;
    /// `TextAreaField`.
    text_area: Text, "TextAreaField", Some(Widget::TextArea);
    /// `EmailField`; in WTForms 2 the one of `wtforms.fields.html5`. Give it [`email`](super::email) to have it checked.
    email_field: Text, "EmailField", Some(Widget::Text("email"));
    /// `TelField`; in WTForms 2 the one of `wtforms.fields.html5`.
    tel: Text, "TelField", Some(Widget::Text("tel"));
    /// `URLField`; in WTForms 2 the one of `wtforms.fields.html5`. Give it [`url`](super::url) to have it checked.
    url_field: Text, "URLField", Some(Widget::Text("url"));
    /// `SearchField`; in WTForms 2 the one of `wtforms.fields.html5`.
    search: Text, "SearchField", Some(Widget::Text("search"));
    /// `PasswordField`.
    password: Text, "PasswordField", Some(Widget::Password);
    /// `HiddenField`.
    hidden: Text, "HiddenField", Some(Widget::Hidden);
    /// `IntegerField`. WTForms 2 shows it as text; `wtforms.fields.html5` as [`Widget::Number`]`(None)`.
    integer: Integer, "IntegerField", None;
    /// `DecimalField`. WTForms 2 shows it as text; `wtforms.fields.html5` as [`Widget::Number`]`(Some("any"))`.
    decimal: Decimal, "DecimalField", None;
    /// `DateField`. WTForms 2 shows it as text; `wtforms.fields.html5` as [`Widget::Date`]`("date")`.
    date: Date, "DateField", None;
    /// `DateTimeField`.
    date_time: DateTime, "DateTimeField", None;
    /// `DateTimeLocalField`; in WTForms 2 the one of `wtforms.fields.html5`.
    date_time_local: DateTime, "DateTimeLocalField", Some(Widget::Date("datetime-local"));
    /// `SelectField`.
    select: Select, "SelectField", None;
    /// `BooleanField`.
    boolean: Boolean, "BooleanField", None;
    /// `SubmitField`.
    submit: Boolean, "SubmitField", Some(Widget::Submit);
}
