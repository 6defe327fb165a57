// Asks the gateway, with the credential that somebody typed. It lives in this tab's sessionStorage and goes nowhere else.
import { language } from "./words.js";

const PLACE = "wxgate.credential";
export const credential = () => sessionStorage.getItem(PLACE);
export const keep = (text) => sessionStorage.setItem(PLACE, text);
export const forget = () => sessionStorage.removeItem(PLACE);

/** What the gateway said no by: its code, what that means and what to do. */
export class Refused extends Error {
  constructor(status, { code, title, detail, requestId } = {}) {
    super(title ?? `HTTP ${status}`);
    Object.assign(this, { status, code: code ?? `http_${status}`, title: title ?? `HTTP ${status}`, detail: detail ?? "", requestId });
  }
}

/** The answer's JSON; null where there is none. */
export async function ask(method, path, body) {
  const headers = { "accept-language": language.tag(), authorization: `Bearer ${credential()}` };
  if (body !== undefined) headers["content-type"] = "application/json";
  let answer;
  try {
    answer = await fetch(`/internal/v1${path}`, { method, headers, cache: "no-store", credentials: "omit", body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused(0, { code: "unreachable", title: language.t("unreachable"), detail: language.t("unreachable_do") });
  }
  const text = await answer.text();
  let json = null;
  try {
    json = text ? JSON.parse(text) : null;
  } catch { /* Something between us and the gateway answered: its status says enough. */ }
  if (!answer.ok) throw new Refused(answer.status, json ?? {});
  return json;
}
