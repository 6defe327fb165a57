//! The Kubernetes manifests against Kubernetes' own schemas, of an old version and of the newest that the validator brings.

use std::path::PathBuf;

use super::{deploy, run_in};

#[test]
fn the_manifests_are_what_kubernetes_takes_and_a_misspelt_field_is_not() {
    let validate = PathBuf::from(std::env::var("WXGATE_TEST_INTEROP").expect("scripts/test says where"));
    let validate = validate.join("venv/bin/kubernetes-validate");
    let files = std::fs::read_dir(deploy("kubernetes")).unwrap().map(|file| file.unwrap().path());
    // kustomize's own, for which there is no schema.
    let files: Vec<PathBuf> = files.filter(|file| !file.ends_with("kustomization.yaml")).collect();
    assert_eq!(files.len(), 8);
    let folder = tempfile::tempdir().unwrap();
    let misspelt = folder.path().join("deployment.yaml");
    let text = std::fs::read_to_string(deploy("kubernetes/deployment.yaml")).unwrap();
    assert!(text.contains("readinessProbe:"));
    std::fs::write(&misspelt, text.replace("readinessProbe:", "readynessProbe:")).unwrap();
    for version in ["1.27", "1.37"] {
        let check = |file: &PathBuf| {
            let line = [validate.to_str().unwrap(), "--strict", "-k", version, file.to_str().unwrap()];
            run_in(folder.path(), &line)
        };
        for file in &files {
            let checked = check(file);
            assert!(checked.status.success(), "{version} {file:?}: {checked:?}");
        }
        assert!(!check(&misspelt).status.success(), "{version}");
    }
}
