; Prints more than any pipe or queue between it and its reader holds, waiting for room as a driver
; does, and then says that this was all.
%include "pvh.inc"
main:
    mov ebx, 2500
.again:
    SAY "the quick brown fox jumps over the lazy dog, again and again"
    dec ebx
    jnz .again
    SAY "the end"
    ret
