// Every text of the page, in both languages.
const words = {
  tagline: ["管理页", "console"],
  language: ["English", "中文"],
  leave: ["退出", "Leave"],

  enter: ["服务凭证", "A service's credential"],
  enter_p: [
    "请输入配置项 internal.credentials 中的一个凭证。它只保存在这个标签页里，关闭标签页即清除；你在这里做的每件事都会以它的名字写入审计日志。",
    "Enter one of the setting internal.credentials. It is kept in this tab until the tab is closed, and what you do here stands in the audit log under its name.",
  ],
  enter_b: ["进入", "Enter"],
  credential: ["凭证", "Credential"],
  none_h: ["还没有凭证？", "Nobody has one yet?"],
  none_now: ["这个网关还没有配置任何凭证，先按下面三步添加一个。", "This gateway has no credential yet: make one in three steps."],
  none_1: ["在网关的配置目录里生成一个：", "Make one, in the folder of the gateway's configuration:"],
  none_2: ["在每个副本的 wxgate.toml 中加上：", "Add this to every replica's wxgate.toml:"],
  none_3: ["重启网关，然后把文件里的内容粘贴到上面。", "Restart the gateway, then paste the file's content above."],

  tile_logins: ["登录，最近 {minutes}", "Logins, last {minutes}"],
  tile_share: ["{share} 成功", "{share} of them succeeded"],
  tile_nothing: ["还没有人登录", "nobody has logged in"],
  tile_failed: ["{n} 次是网关或微信的问题", "{n} failed on our side or WeChat's"],
  tile_wechat: ["微信", "WeChat"],
  tile_signer: ["签名密钥", "Signing key"],
  tile_column: ["列加密密钥", "Column key"],
  tile_column_p: ["共 {n} 把，用这把密封", "seals; {n} listed"],
  none: ["无", "none"],

  wechat_state: { quiet: ["没有请求", "quiet"], healthy: ["正常", "healthy"], unsteady: ["不稳定", "unsteady"], failing: ["故障", "failing"] },
  wechat_lately: ["最近 {minutes} 分钟 {calls} 次，失败 {share}", "{calls} calls in {minutes} min, {share} failed"],
  wechat_ms: ["中位 {median} ms，95% 在 {p95} ms 内", "median {median} ms, 95% within {p95} ms"],
  wechat_h: ["微信接口", "WeChat"],
  wechat_last: ["最近的应答", "The last answers"],
  wechat_none: ["本副本启动以来还没有请求过微信。", "This replica hasn't asked WeChat since it started."],
  answered: ["成功", "answered"], refused_o: ["拒绝", "refused"], failed_o: ["失败", "failed"],

  logins_h: ["登录", "Logins"],
  logins_p: ["只是本副本启动以来的数字；所有副本的合计见 /metrics。", "Of this replica since it started; for all replicas together gather /metrics."],
  range: { 60: ["1 小时", "1 h"], 180: ["3 小时", "3 h"], 1440: ["24 小时", "24 h"] },
  done: ["成功", "done"], refused: ["请求方的问题", "refused"], failed: ["我们或微信的问题", "failed"],
  way: { wechat: ["微信", "WeChat"], password: ["密码", "password"] },
  chart_none: ["这段时间里没有", "none in this time"],
  chart_logins: ["每段时间的登录次数，按结果", "Logins over time, by outcome"],
  chart_wechat: ["每段时间对微信的请求", "Calls to WeChat over time"],

  keys_h: ["签名密钥", "Signing keys"],
  keys_p: ["时间均为 UTC，与配置中的 sign_from 相同。", "Times are UTC, as sign_from is."],
  chart_keys: ["每把密钥何时公布、签名、退役、到期", "When each key is published, signs, retires and ends"],
  key_state: { published: ["已公布", "published"], signs: ["签名中", "signs"], retiring: ["退役中", "retiring"], ended: ["已到期", "ended"] },
  now: ["现在", "now"], due: ["发布期限", "publish by"],

  columns_h: ["列加密密钥", "Column keys"],
  columns_p: ["统计会读两张表的每一行，所以只在你要求时进行。", "Counting reads every row of two tables, so it is done only when asked for."],
  columns_b: ["统计", "Count"],
  columns_seen: ["已看 {seen} 行，约共 {rows} 行", "{seen} rows seen of about {rows}"],
  columns_at: ["{at} 统计", "counted at {at}"],
  columns_values: ["{n} 个值", "{n} values"],
  columns_detail: ["session_key {current}，旧 session_key {previous}，手机号 {phones}", "{current} session_keys, {previous} previous ones, {phones} phones"],
  columns_malformed: ["{n} 个值不是密封值，见 wxgate secrets status", "{n} values are no sealed ones: see wxgate secrets status"],
  seals: ["密封中", "seals"], opens: ["只打开", "opens"], unknown: ["未配置", "not configured"],

  find_h: ["查找用户", "Find a user"],
  find_by: { username: ["用户名", "Username"], phone: ["手机号", "Phone"], userId: ["用户 ID", "User id"], openId: ["openid", "openid"] },
  find_hint: { username: ["xiaoming", "xiaoming"], phone: ["13800138000", "+8613800138000"], userId: ["令牌中的 sub", "a token's sub"], openId: ["oGZUI0eg…", "oGZUI0eg…"] },
  find_b: ["查找", "Find"], find_way: ["按什么查找", "By what"], find_app: ["小程序", "Mini-program"], find_what: ["内容", "What"],
  status: [["正常", "active"], ["已停用", "disabled"], ["已注销", "closed"]],
  user_id: ["用户 ID", "User id"], username: ["用户名", "Username"], nick: ["昵称", "Nickname"], level: ["等级", "Level"],
  registered: ["首次登录", "First login"], phone: ["手机号", "Phone"], phone_set: ["已绑定", "set"], tokens_ended: ["token 全部失效于", "Tokens ended at"],
  wrong: ["错误密码", "Wrong passwords"], wrong_n: ["{n} 次，最近一次 {at}", "{n}, the last one {at}"],
  identities: ["微信身份", "WeChat identities"], identity_app: ["小程序", "App"], identity_last: ["最近登录", "Last login"], identity_first: ["首次登录", "First login"],
  identities_none: ["没有微信身份", "No WeChat identity"],

  act: { disable: ["停用", "Disable"], enable: ["启用", "Enable"], revoke: ["结束所有 token", "End all tokens"], unlock: ["解除锁定", "Unlock"], level: ["设置等级", "Set level"] },
  act_ask: {
    disable: ["停用 {name}？", "Disable {name}?"], enable: ["启用 {name}？", "Enable {name}?"], revoke: ["结束 {name} 的所有 token？", "End all tokens of {name}?"],
    unlock: ["解除 {name} 的锁定？", "Unlock {name}?"], level: ["把 {name} 的等级设为“{level}”？", "Set {name} to “{level}”?"],
  },
  act_means: {
    disable: ["无论以何种方式都不能再登录，已签发的 token 立即失效。", "They can't log in any more, whichever way they come, and their tokens end."],
    enable: ["可以重新登录；以前的 token 仍然无效，错误密码的记录清除。", "They can log in again. Tokens of before stay ended; wrong passwords are forgotten."],
    revoke: ["所有设备上的 token 立即失效，用户可以重新登录。", "Their tokens end on every device. They can log in again."],
    unlock: ["清除针对该用户名的错误密码记录，不用再等待；其余不变。", "Wrong passwords against this name are forgotten, so that nobody has to wait. Nothing else changes."],
    level: ["此后签发的 token 按新等级。", "Tokens issued from now on say the new level."],
  },
  act_done: {
    disable: ["{name} 已停用，token 已失效。", "{name} is disabled, and their tokens have ended."], enable: ["{name} 已启用。", "{name} is enabled."],
    revoke: ["{name} 的所有 token 已失效。", "Every token of {name} has ended."], unlock: ["{name} 已解除锁定。", "{name} is unlocked."],
    level: ["{name} 的等级已设为“{level}”。", "{name} has the level “{level}” now."],
  },
  cancel: ["取消", "Cancel"],

  stale: ["没有更新，显示的是 {at} 的数据。", "Not renewed: this is as of {at}."],
  request: ["请求编号", "request"],
  unreachable: ["连不上网关", "The gateway can't be reached"], unreachable_do: ["请检查网关是否在运行，以及到内部端口的通道。", "Check whether it runs, and the tunnel to its internal port."],
  replica: ["副本 {name}，版本 {version}，已运行 {up}。数字只属于本副本，从它启动算起。", "Replica {name}, version {version}, up {up}. The numbers are of this replica, since it started."],
  up: { days: ["{n} 天", "{n} d"], hours: ["{n} 小时", "{n} h"], minutes: ["{n} 分钟", "{n} min"] },
};

const place = "wxgate.language";
let chosen = Number(localStorage.getItem(place) ?? (navigator.language.startsWith("zh") ? 0 : 1)) ? 1 : 0;

export const language = {
  tag: () => (chosen ? "en" : "zh-CN"),
  turn() {
    chosen = chosen ? 0 : 1;
    localStorage.setItem(place, chosen);
  },
  /** The text of this name, `a.b` for one inside a group, with its blanks filled in. */
  t(name, values = {}) {
    const text = name.split(".").reduce((node, part) => node[part], words)[chosen];
    return text.replace(/\{(\w+)\}/g, (_, blank) => values[blank] ?? "");
  },
  /** An instant as people here write it. */
  time: (at, seconds = false) => new Date(at).toLocaleString(chosen ? "en-GB" : "zh-CN", {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined, hourCycle: "h23" }),
  clock: (at, seconds = false) => new Date(at).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", second: seconds ? "2-digit" : undefined, hourCycle: "h23" }),
  number: (n) => n.toLocaleString("en"),
  share: (part, whole) => {
    const percent = whole ? (100 * part) / whole : 0;
    return `${percent === 0 || percent === 100 ? percent : percent.toFixed(1)}%`;
  },
};
