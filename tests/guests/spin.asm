; A guest that never ends: for --timeout and for signals.
%include "pvh.inc"
main:
    SAY "spinning"
.forever:
    jmp .forever
