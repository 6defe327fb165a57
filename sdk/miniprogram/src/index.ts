export { createAuth } from "./auth";
export type { Account, Auth, LoginOptions, Options, PhoneDetail, Profile } from "./auth";
export { AuthError } from "./errors";
export type { ClientCode } from "./errors";
export type { Platform, RequestOptions, Response } from "./platform";
export type { Session, UserInfo } from "./session";
