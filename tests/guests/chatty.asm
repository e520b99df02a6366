; Prints 67 KB, more than a small pipe and the queue before it hold, waiting for room as a driver
; does, and then says that this was all.
%include "pvh.inc"
main:
    mov ebx, 1100
.again:
    SAY "the quick brown fox jumps over the lazy dog, again and again"
    dec ebx
    jnz .again
    SAY "the end"
    ret
