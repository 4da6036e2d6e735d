#!/usr/bin/perl

# Tests for acme_event: the administrator's program is told what happens to
# certificates, as the right user, at least once.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/lib";
use ACME::Test;

use JSON::PP ();

my $t = ACME::Test->new(root => 1);
my $ca = $t->pebble;
my $told = $t->path('told');
my $program = $t->path('told.sh');
my $user = 'daemon';
my $event = "acme_event $program user=$user;";

# What it is told goes to a file; it fails while there is a file "fail", and
# lasts while there is a file "hold".
mkdir $told;
chmod 01777, $told;
spew($program, <<"END");
#!/bin/sh
json=\$(cat)
echo "begin \$1 \$2 \$(id -u) \$(umask) \$(pwd) \$(ls /proc/self/fd | wc -l) \$json" >>$told/log.\$(id -u)
env | cut -d= -f1 | sort >$told/env.\$(id -u)
echo "this is \$1 of \$2"
printf 'a \\033[31mred\\033[0m "word"' >&2
[ ! -e $told/fail ] || exit 3
i=0
while [ -e $told/hold ] && [ \$i -lt 500 ]; do sleep 0.1; i=\$((i + 1)); done
echo "end \$1 \$2" >>$told/log.\$(id -u)
END
chmod 0755, $program;

$t->dns_address('bad.test', '127.0.0.9');
my $server = $t->server(ca => $ca,
    global => "$event acme_challenge http-01;", sites => [
        { names => 'example.test www.example.test' },
        { names => 'bad.test' },
    ])->start;

# ---- obtained, failed, installed

my ($obtained) = told('obtained', 'example.test');
ok($obtained, 'the program is told of a certificate obtained');
is_deeply([ sort keys %$obtained ], [ sort qw(version event time name
    certificate names ca live generation key_type fullchain privkey not_before
    not_after serial) ], 'with all that there is to be said');
is($obtained->{version}, 1, 'the form has a version');
is_deeply($obtained->{names}, [qw(example.test www.example.test)],
    'the names');
is($obtained->{ca}{url}, $ca->url, 'the CA');
is($obtained->{key_type}, 'ecdsa:256', 'the type of its key');
is($obtained->{live}, $server->state_path . '/live/example.test',
    'the place of the files');
ok(-s $obtained->{$_}, "the $_ is where it is said") for qw(fullchain privkey);
is($obtained->{generation}, 1, 'the generation');
like($obtained->{$_}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "a time: $_")
    for qw(time not_before not_after);

my ($failed) = told('failed', 'bad.test');
ok($failed, 'and of a failure');
is($failed->{problem}{type}, 'connection', 'its type');
like($failed->{problem}{text}, qr/bad\.test.*connection refused/i,
    'the words of the CA');
like($failed->{problem}{hint}, qr/nothing listens on port 80/, 'a hint');
is($failed->{attempt}, 1, 'the number of the attempt');
like($failed->{next_attempt}, qr/^\d{4}-/, 'when the next one is');
ok(!$failed->{served}, 'that there is no certificate');
ok(!exists $failed->{$_}, "so no $_") for qw(serial fullchain generation);

my ($installed) = told('installed', 'example.test');
ok($installed, 'and that the server serves it');
ok($server->issued('example.test'), 'which it does');
is($installed->{generation}, 1, 'this generation');
is($installed->{serial}, $obtained->{serial}, 'this certificate');
cmp_ok(index(log_of(), 'begin obtained example.test'), '<',
    index(log_of(), 'begin installed example.test'), 'in this order');

my (undef, $uid, $umask, $cwd, $files) = log_of()
    =~ /^begin (obtained) example\.test (\S+) (\S+) (\S+) (\S+) /m;
is($uid, (getpwnam $user)[2], 'the program runs as the user that is named');
is($umask, '0077', 'its files are its own');
is($cwd, '/', 'it runs in /');
cmp_ok($files, '<=', 4, 'with no files of the helper');
ok(wait_for(sub { -s "$told/env.$uid" }), 'its environment');
is_deeply([ grep { !/^(PWD|_|SHLVL|OLDPWD)$/ } split /\n/,
    slurp("$told/env.$uid") ], [ sort qw(ACME_LIVE HOME LOGNAME PATH SHELL USER) ],
    'is the one that is documented');

ok($server->says(qr/\[notice\] .*acme: example\.test: acme_event: obtained: this is obtained of example\.test$/),
    'what it prints is in the log');
ok($server->says(qr/acme_event: obtained: a \\x1b\[31mred\\x1b\[0m "word"$/),
    'escaped, standard error too');
ok(done(), 'what was told is not kept');

# ---- it fails, and is mended

spew("$told/fail", '');
$server->reload(global => "$event acme_challenge http-01; acme_key rsa:2048;");
ok($server->says(qr/\[error\] .*acme: example\.test: acme_event: renewed: exit status 3; attempt 1 failed, the next is at \d{4}-/),
    'the program fails: the log says how, and when it is tried again');
ok($server->served('example.test', key => 'rsa:2048'),
    'the certificate is served all the same');
ok(events(), 'the event is kept');
is(times_told('installed', 'example.test'), 1, 'what follows it waits');
is((stat $_)[2] & 07777, 0600, 'for nobody else to read')
    for (events())[0];
unlink "$told/fail";
$server->reload;
ok($server->says(qr/acme_event: installed: this is installed/),
    'mended: a reload has it run again');
ok(wait_for(sub { times_told('installed', 'example.test') == 2 }),
    'and what has waited follows');
my @renewed = told('renewed', 'example.test');
cmp_ok(scalar @renewed, '>=', 2, 'it was told twice of the renewal');
is($renewed[-1]{key_type}, 'rsa:2048', 'of this one');
is($renewed[-1]{generation}, 2, 'the second generation');
is_deeply($renewed[-1], $renewed[0], 'in the same words');
isnt($renewed[-1]{serial}, $obtained->{serial}, 'another certificate');
ok(done(), 'and is done with it');

# ---- the keeper is killed while the program runs

spew("$told/hold", '');
$server->reload(global => "$event acme_challenge http-01; acme_key ecdsa:384;");
ok(wait_for(sub { log_of() =~ /begin renewed .*ecdsa:384/ }),
    'the program runs');
$server->helper('event');
ok($server->served('example.test', key => 'ecdsa:384'),
    'nobody waits for it');
my $keeper = $server->helper('keeper');
kill 'KILL', $keeper;
ok($server->helper('keeper', $keeper), 'the keeper comes again');
ok(wait_for(sub { 2 <= (() = log_of() =~ /begin renewed .*ecdsa:384/g) }),
    'and the program is told again');
unlink "$told/hold";
ok(wait_for(sub { times_told('installed', 'example.test') == 3 }),
    'and goes on from there');
ok(done(), 'to the end');
is(scalar(() = log_of() =~ /end renewed/g), 2,
    'a program that the keeper had left did not go on');

# ---- the default user, and nobody to be told

my $default = (getpwnam(getpwnam('_acme') ? '_acme' : 'nobody'))[2];
$server->reload(global => "acme_event $program; acme_challenge http-01;");
ok(wait_for(sub { log_of()
    =~ /begin renewed example\.test $default 0077 .*ecdsa:256/ }),
    'without user= it is the one of acme_user');
ok(wait_for(sub { times_told('installed', 'example.test') == 4 }),
    'as ever');
spew("$told/fail", '');
$server->reload(global => "$event acme_challenge http-01; acme_key rsa:2048;");
ok(wait_for(sub { events() }), 'an event waits');
$server->reload(global => 'acme_challenge http-01; acme_key rsa:2048;');
ok(wait_for(sub { !-e $server->state_path . '/events' }),
    'without acme_event nothing waits any more');

my $secrets = $server->secrets;
my @secret = grep { index(log_of(), $secrets->{$_}) >= 0 } keys %$secrets;
is_deeply(\@secret, [], 'no key was told');

# ---- the check

spew($t->path('plain'), "no program\n");
for my $case (
    [ 'missing', $t->path('no-such'), qr/acme_event: "\S+no-such": No such file/ ],
    [ 'relative', 'told.sh', qr/acme_event: invalid value "told\.sh", allowed is an absolute path/ ],
    [ 'no program', $t->path('plain'), qr/acme_event: "\S+plain" is not an executable file/ ],
    [ 'folder', $told, qr/acme_event: "\S+told" is not an executable file/ ],
    [ 'unknown word', "$program users=root", qr/acme_event: invalid value "users=root", allowed is user= and the name of a user/ ],
    [ 'unknown user', "$program user=no-such-user", qr/acme_event: there is no user "no-such-user"/ ],
    [ 'foreign file for root', foreign(0755) . ' user=root', qr/with user=root, \S+foreign\S* must belong to root, and belongs to uid \d+/ ],
    [ 'writable file for root', writable() . ' user=root', qr/with user=root, \S+writable must not be writable by others \(mode 775\)/ ],
    [ 'foreign folder for root', "$told/sub/told.sh user=root", qr/with user=root, \S+sub must belong to root/ ],
    [ 'link through a foreign folder', $t->path('link') . ' user=root', qr/with user=root, \S+sub must belong to root/ ],
    ) {
    my ($what, $arguments, $words) = @$case;
    $server->configure(global => "acme_event $arguments;");
    my ($status, $text) = $server->check;
    isnt($status, 0, "$what: refused");
    like($text, $words, "$what: in words");
}
$server->configure(global => "acme_event $program user=root;");
my ($status, $text) = $server->check;
is($status, 0, 'a program of root for root: accepted') or diag($text);

$t->done;

# What the program was told, and said.
sub log_of { return join '', map { slurp($_) } glob "$told/log.*" }

# The objects of an event, waited for / how often it was told so far.
sub told {
    my ($what, $name) = @_;
    my @json;

    wait_for(sub { @json = objects($what, $name) });
    return map { JSON::PP::decode_json($_) } @json;
}

sub times_told { return scalar(my @json = objects(@_)) }

sub objects {
    my ($what, $name) = @_;
    return log_of()
        =~ /^begin \Q$what\E \Q$name\E \S+ \S+ \S+ \S+ (\{.*\})$/mg;
}

sub events { return my @files = glob $server->state_path . '/events/*.json' }
sub done { return wait_for(sub { !events() }) }

sub copy_to {
    my ($path, $mode) = @_;
    spew($path, slurp($program));
    chmod $mode, $path;
    return $path;
}

sub foreign {
    my ($mode) = @_;
    my $path = copy_to($t->path('foreign'), $mode);

    mkdir "$told/sub";
    copy_to("$told/sub/told.sh", 0755);
    chown 1, 1, $path, "$told/sub";
    symlink "$told/sub/told.sh", $t->path('link');
    return $path;
}

sub writable { return copy_to($t->path('writable'), 0775) }
