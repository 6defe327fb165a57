# Verifies tokens from the JWKS alone: perl perl.pl JWKS_URL ISSUER AUDIENCE ALG,ALG
# One JSON string a line on standard input; one line out for each, {"sub": …} or {"refused": …}.
use strict;
use warnings;
use Crypt::JWT qw(decode_jwt);
use HTTP::Tiny;
use JSON::PP;

my ($jwks, $issuer, $audience, $algorithms) = @ARGV;
my $json = JSON::PP->new->allow_nonref->canonical;
my $keys = $json->decode(HTTP::Tiny->new->get($jwks)->{content});
# This version compares aud as a text; a list is ours to look through.
my $for_us = sub { my $aud = shift; grep { $_ eq $audience } ref $aud eq 'ARRAY' ? @$aud : ($aud // '') };
$| = 1;
while (my $line = <STDIN>) {
    my $claims = eval {
        decode_jwt(
            token => $json->decode($line), kid_keys => $keys, accepted_alg => [split /,/, $algorithms],
            verify_iss => sub { ($_[0] // '') eq $issuer }, verify_aud => $for_us, verify_exp => 1,
            verify_sub => sub { length($_[0] // '') },
        );
    };
    my $why = $@;
    print $json->encode(ref $claims eq 'HASH' ? { sub => "$claims->{sub}" } : { refused => "$why" }), "\n";
}
