use serde_json::json;

use crate::{
    client::{Answer, Request, send},
    machine::{Machine, Sandbox},
};

const FORM: &str = "multipart/form-data; boundary=of-a-form";

fn files(sandbox: &Sandbox, method: &str, path: &str, body: &str) -> Answer {
    let path = format!("/modbox/api/files{path}");
    let bearer = Some(sandbox.access_token.as_str());
    let headers = &[("content-type", FORM)];
    send(sandbox.address, &Request { method, path: &path, bearer, headers, body }).unwrap()
}

pub(crate) fn commands_and_files_share_the_workspace() {
    let machine = Machine::start();
    let sandbox = machine.create_running(&json!({}));
    let address = format!("http://{}/modbox/api/files", sandbox.address);
    assert_eq!(machine.detail(&sandbox.id)["capabilities"]["files"], address);

    let form = "--of-a-form\r\nContent-Disposition: form-data; name=\"file\"; filename=\"in.txt\"\r\n\r\n\
                from outside\r\n--of-a-form--\r\n";
    assert_eq!(files(&sandbox, "POST", "/upload", form).expect(200)["path"], "uploads/in.txt");
    let said = sandbox.exec("cat uploads/in.txt; echo from inside > uploads/out.txt").unwrap();
    assert_eq!(said["stdout"], "from outside");

    let listed = files(&sandbox, "GET", "?path=uploads", "").expect(200);
    let names = [&listed["entries"][0]["name"], &listed["entries"][1]["name"], &listed["entries"][2]["name"]];
    assert_eq!(names, [&json!("in.txt"), &json!("out.txt"), &json!(null)]);
    assert_eq!(files(&sandbox, "GET", "/download?path=uploads/out.txt", "").body, "from inside\n");
    assert_eq!(files(&sandbox, "DELETE", "?path=uploads/in.txt", "").status, 204);
    assert_eq!(sandbox.exec("ls uploads").unwrap()["stdout"], "out.txt\n");

    // The table and everybody's keys are some folders further up.
    for path in ["../report", "../../../", &format!("{}", machine.data().display())] {
        files(&sandbox, "GET", &format!("?path={path}"), "").expect(422);
        files(&sandbox, "GET", &format!("/download?path={path}"), "").expect(422);
    }
}
