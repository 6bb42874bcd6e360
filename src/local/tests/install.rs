//! The way to an installation, and what stands in it.

use super::*;

/// The error of an `ensure` that has to install, with these variables.
async fn failed_install(place: &Place, environment: &[(&str, &str)], requirements: Option<&str>) -> Error {
    let mut cloud = place.cloud();
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    cloud.install.environment = environment.iter().map(own).collect();
    if let Some(requirements) = requirements {
        cloud.install.requirements = requirements.to_owned();
    }
    let error = cloud.ensure(&Told::default()).await.unwrap_err();
    assert!(!cloud.install.is_complete());
    let error = Error::of(&error);
    assert!(!error.remedies.is_empty(), "{error}");
    error
}

#[tokio::test]
async fn a_half_finished_or_damaged_installation_is_repaired() {
    let (place, told) = (Place::with_own_install(), Told::default());
    let install = place.cloud().install;
    fs::create_dir_all(install.directory().join("bin")).unwrap();
    fs::write(install.directory().join("bin/python"), "half").unwrap();
    let older = place.installs.join("ministack-1.0.0-abc");
    fs::create_dir_all(&older).unwrap();
    let _ = place.cloud().ensure(&told).await.unwrap();
    assert_eq!(told.installations(), 1);
    assert!(install.marker().exists() && !older.exists());

    place.cloud().stop(&told).await.unwrap();
    let libraries = fs::read_dir(install.directory().join("lib")).unwrap().next().unwrap().unwrap().path();
    fs::remove_dir_all(libraries.join("site-packages/hypercorn")).unwrap();
    let _ = place.cloud().ensure(&told).await.unwrap();
    assert_eq!(told.installations(), 2);
}

#[tokio::test]
async fn no_python_is_a_sentence() {
    let nowhere = tempfile::tempdir().unwrap();
    let path = nowhere.path().display().to_string();
    let error = failed_install(&Place::with_own_install(), &[("PATH", &path)], None).await;
    assert_eq!(error.message, "python3 was not found");
    assert!(error.remedies[0].contains("apt install python3 python3-venv"));
}

#[tokio::test]
async fn an_old_python_is_a_sentence() {
    let (_fake, (_, path)) = fake_python("echo 3 9 6");
    let error = failed_install(&Place::with_own_install(), &[("PATH", &path)], None).await;
    assert_eq!(error.message, "python3 is version 3.9.6, which is too old");
}

#[tokio::test]
async fn no_venv_module_is_a_sentence() {
    let (_fake, (_, path)) = fake_python(
        r#"[ "$2" = -c ] && { echo 3 11 2; exit; }
echo "The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
package using the following command.

    apt install python3.11-venv

Failing command: /x/bin/python3"
exit 1"#,
    );
    let error = failed_install(&Place::with_own_install(), &[("PATH", &path)], None).await;
    assert_eq!(error.message, "python3 lacks its venv module");
    let cause = "The virtual environment was not created successfully because ensurepip is not available";
    assert_eq!(error.cause.as_deref(), Some(cause));
    assert!(error.remedies[0].contains("apt install python3.11-venv"), "{error:?}");
}

#[tokio::test]
async fn no_network_is_a_sentence() {
    let closed = crate::local::server::free_port().unwrap();
    let index = format!("http://127.0.0.1:{closed}/simple");
    let environment = [
        ("PIP_INDEX_URL", index.as_str()),
        ("PIP_EXTRA_INDEX_URL", ""),
        ("PIP_FIND_LINKS", ""),
        ("PIP_RETRIES", "1"),
        ("NO_PROXY", "127.0.0.1"),
    ];
    let error = failed_install(&Place::with_own_install(), &environment, None).await;
    assert!(error.message.contains("no way to the package index"), "{error}");
    assert!(error.cause.unwrap().contains("Connection refused"));
}

#[tokio::test]
async fn a_wrong_hash_is_a_sentence() {
    let wheels = tempfile::tempdir().unwrap();
    fs::write(wheels.path().join("six-1.17.0-py2.py3-none-any.whl"), "tampered with").unwrap();
    let links = wheels.path().display().to_string();
    let requirements = format!("six==1.17.0 --hash=sha256:{}", "0".repeat(64));
    let environment = [("PIP_FIND_LINKS", links.as_str()), ("PIP_NO_INDEX", "1")];
    let error = failed_install(&Place::with_own_install(), &environment, Some(&requirements)).await;
    assert!(error.message.contains("not the file"), "{error}");
    assert!(error.cause.unwrap().contains("six"));
}

#[tokio::test]
async fn a_cache_that_refuses_is_a_sentence() {
    let place = Place::new();
    let file = place.cache.path().join("file");
    fs::write(&file, "").unwrap();
    let error = LocalCloud::new(&file).ensure(&Told::default()).await.unwrap_err();
    let error = Error::of(&error);
    assert!(error.message.starts_with("cannot use "), "{error}");
    assert!(error.remedies[0].contains("KINESIS_STACK_CACHE_DIR"));
}

#[test]
fn relative_caches_are_made_absolute() {
    assert!(LocalCloud::new(Path::new("cache")).log_path().is_absolute());
}
