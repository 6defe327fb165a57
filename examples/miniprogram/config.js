module.exports = {
  // 网关：cargo run -- dev
  baseUrl: 'http://127.0.0.1:8080',
  // 您自己的服务，用网关的公钥校验 token。示例见 examples/node-express
  shopUrl: 'http://127.0.0.1:3000',
  // 模拟微信的地址：wxgate dev 只认识模拟微信发的 code。接真网关时改成 ''，并把 project.config.json 里的 appid 换成自己的
  simulator: 'http://127.0.0.1:9099',
}
