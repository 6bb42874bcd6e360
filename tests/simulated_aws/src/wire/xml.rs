//! As much of XML as the services speak.

/// An XML element.
pub fn tag(name: &str, content: &str) -> String {
    format!("<{name}>{content}</{name}>")
}

/// An XML element that holds text.
pub fn text(name: &str, content: &str) -> String {
    tag(name, &content.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

/// What lies between `<name>` and `</name>`, each time.
pub fn between<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| rest.split_once(&close).map(|(inside, _)| inside)).collect()
}
