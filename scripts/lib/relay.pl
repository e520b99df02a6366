# Copies stdin to stdout as it comes, up to a marker given as argument; the lab's output ends with one.
# Exit status: 0 at the marker, 1 if stdin ended without it, 141 if stdout was closed.
use strict;
use warnings;

my $marker = shift;
my $held = '';
$SIG{PIPE} = 'IGNORE';

sub put {
    my ($data) = @_;
    my $done = 0;
    while ($done < length $data) {
        my $n = syswrite STDOUT, $data, length($data) - $done, $done;
        exit 141 unless defined $n;
        $done += $n;
    }
}

while (sysread STDIN, $held, 65536, length $held) {
    my $at = index $held, $marker;
    if ($at >= 0) {
        put(substr $held, 0, $at);
        exit 0;
    }
    # Keep back only what could be the beginning of the marker.
    my $keep = length($marker) - 1;
    $keep = length $held if $keep > length $held;
    $keep-- while $keep > 0 && substr($held, -$keep) ne substr($marker, 0, $keep);
    put(substr $held, 0, length($held) - $keep);
    $held = $keep ? substr($held, -$keep) : '';
}
put($held);
exit 1;
