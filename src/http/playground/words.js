// Every text of the page, in both languages.
export const words = {
  tagline: ["微信小程序登录网关 · 演示", "the login of WeChat mini-programs, step by step"],
  docs: ["接口文档", "API docs"],
  language: ["English", "中文"],
  phone_title: ["小程序", "Mini-program"],
  footer: [
    "只有 wxgate dev 有这个页面；这里的微信是模拟的，其余都是真的：请求、数据库、密钥、签名。",
    "Only wxgate dev has this page. WeChat is simulated; everything else is real: requests, database, keys, signatures.",
  ],
  nobody: ["未登录", "Not logged in"], nobody_hint: ["从右边第 1 步开始", "Begin with step 1"],
  person: ["微信用户", "WeChat user"], id: ["用户 ID", "user id"], phone: ["手机号", "phone"], account: ["账号", "account"], left: ["token 剩余", "token left"],
  none: ["无", "none"], over: ["已失效", "ended"], request: ["请求", "request"], answer: ["回应", "answer"],

  code: ["wx.login 拿到 code", "wx.login gives a code"],
  code_p: [
    "小程序里调用 wx.login，微信给一个五分钟内有效、只能用一次的 code。它本身什么都证明不了，要拿去服务端换。",
    "The mini-program calls wx.login and WeChat gives it a code: good for five minutes and one use. By itself it proves nothing.",
  ],
  code_b: ["调用 wx.login", "Press wx.login"], code_other: ["换一个微信用户", "Be somebody else"],

  login: ["用 code 登录", "Log in with it"],
  login_p: [
    "小程序只和网关说话。网关拿 code 和 AppSecret 去微信换 openid 和 session_key，这两样都不会回到手机上。",
    "The mini-program speaks to the gateway only, which exchanges the code at WeChat for openid and session_key. Neither goes back to the phone.",
  ],
  login_b: ["登录", "Log in"], login_again: ["同一个 code 再用一次", "Use the same code again"],

  row: ["数据库里是什么样", "What the database holds"],
  row_p: [
    "session_key 用 AES-256-GCM 密封在列里，密钥按行派生。偷走整个数据库，看到的就是下面这些。",
    "The session_key is sealed in its column by AES-256-GCM with a key of its own for each row. Whoever steals the database sees this.",
  ],
  row_b: ["看这一行", "Show the row"],
  row_legend: [["版本", "密钥 id", "随机数", "密文和认证标签"], ["version", "key id", "nonce", "ciphertext and tag"]],

  jwt: ["token 里有什么", "What the token says"],
  jwt_p: [
    "三段 base64url：头、声明、签名。谁都能读，所以里面没有 openid、手机号，更没有 session_key。",
    "Three parts in base64url: header, claims, signature. Anybody can read it, so it holds no openid, no phone and no session_key.",
  ],
  jwt_b: ["拆开 token", "Take it apart"],
  claims: {
    iss: ["谁签发的：网关的对外地址", "who issued it: the gateway's public origin"], sub: ["用户 ID，各服务都用它", "the user's id, for every service"],
    aud: ["给哪些服务用", "which services it is for"], iat: ["签发时间", "issued"], exp: ["过期时间", "expires"], jti: ["token 自己的编号", "the token's own id"],
    client_id: ["哪个小程序", "which mini-program"], auth_time: ["登录时间", "logged in"], amr: ["用密码登录", "came by password"], sid: ["微信身份的编号", "which WeChat identity"],
    alg: ["签名算法", "how it is signed"], kid: ["用哪把密钥签的", "which key signed it"], typ: ["类型", "type"],
  },

  verify: ["服务怎么校验它", "How a service verifies it"],
  verify_p: [
    "任何服务取一次公钥，之后自己校验，不用回来问。这里由浏览器的 WebCrypto 来做，和 Java、Go、Node 里的库做的一样。",
    "Any service fetches the public keys once and then verifies by itself. Here the browser's WebCrypto does what a library in Java, Go or Node does.",
  ],
  verify_b: ["用公钥校验", "Verify by the public keys"], tamper_b: ["改一个字再校验", "Change a letter and verify"],
  check: { kid: ["找到公钥", "the key is published"], alg: ["算法与公钥一致", "alg is the key's own"], signature: ["签名成立", "the signature holds"], iss: ["签发者正确", "issuer"], aud: ["是给我的", "audience"], exp: ["没有过期", "not expired"] },

  profile: ["昵称", "A name"],
  profile_p: [
    "微信早就不给真实昵称了，要用户自己填（input type=nickname）。表情、生僻字都可以。",
    "WeChat no longer tells names; the user types one (input type=nickname). Emoji and rare characters are fine.",
  ],
  profile_b: ["保存", "Save"], profile_v: ["小明 🎉", "小明 🎉"],

  mobile: ["手机号", "The phone number"],
  mobile_p: [
    "用户点手机号按钮，微信给一个 code（不是 wx.login 的那个）。号码换到后同样密封存储，一个号码只属于一个用户。",
    "The user presses the phone button and WeChat gives a code (another one than wx.login's). The number is sealed too, and belongs to one user only.",
  ],
  mobile_b: ["点手机号按钮", "Press the phone button"],

  bind: ["绑定已有账号", "Bind an account"],
  bind_p: [
    "在网站或公众号注册过的人，验证一次密码，之后微信登录就进那个账号。注意 userId 变成了账号的。",
    "Somebody with an account from elsewhere proves the password once; from then on wx.login lands there. The userId is now the account's.",
  ],
  bind_b: ["建一个账号并绑定", "Make an account and bind it"], unbind_b: ["解绑", "Unbind"],

  rotate: ["轮换签名密钥", "Rotate the signing key"],
  rotate_p: [
    "新公钥先公布，等所有服务的缓存都见过它，才开始用它签名；旧密钥再公布到它签的 token 全部过期。中间没有一个 token 失效。",
    "A new key is published first and signs only once every service's cache has seen it; the old one stays until its last token has expired. No token is ever dropped.",
  ],
  rotate_b: ["加一把新密钥", "Add a key"], rotate_now: ["紧急：现在就换", "Emergency: switch now"], rotate_login: ["重新登录，看 kid", "Log in again, see the kid"],
  now: ["现在", "now"], published: ["已公布", "published"], signs: ["签名中", "signs"], superseded: ["只校验", "verifies only"],
  still: ["旧 token 仍然有效：", "The old token still counts: "], new_kid: ["新 token 的 kid：", "The new token's kid: "],

  revoke: ["退出登录", "Log out"],
  revoke_p: [
    "退出后，这个用户在所有设备上的 token 立即失效。问网关（/authz）的服务马上知道；自己校验的服务轮询吊销列表。",
    "Every token of this user ends, on every device. Services that ask the gateway (/authz) know at once; those that verify by themselves poll the list.",
  ],
  revoke_b: ["退出", "Log out"], revoked_ok: ["浏览器里签名仍然成立，但网关不认了：这正是要轮询吊销列表的原因。", "The signature still holds in the browser, but the gateway no longer takes it: that is what the list is for."],
  again_b: ["从头再来", "Begin again"],
  failed: ["没有成功：", "That failed: "],
};
