# Verifies tokens from the JWKS alone: ruby ruby.rb JWKS_URL ISSUER AUDIENCE ALG,ALG
# One JSON string a line on standard input; one line out for each, {"sub": …} or {"refused": …}.
require "json"
require "jwt"
require "net/http"

jwks, issuer, audience, algorithms = ARGV
keys = JSON.parse(Net::HTTP.get(URI(jwks)), symbolize_names: true)
options = {
  algorithms: algorithms.split(","), jwks: keys, iss: issuer, verify_iss: true, aud: audience, verify_aud: true,
  required_claims: %w[exp iss aud sub]
}
$stdin.each_line do |line|
  answer = begin
    { sub: JWT.decode(JSON.parse(line, quirks_mode: true), nil, true, options).first["sub"] }
  rescue StandardError => e
    { refused: "#{e.class}: #{e.message}" }
  end
  puts JSON.generate(answer)
  $stdout.flush
end
