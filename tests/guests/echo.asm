; Sends back what comes in on COM1 until a "q".
%include "pvh.inc"
main:
    SAY "ready"
.next:
    mov dx, COM1 + 5
    in al, dx
    test al, 1
    jz .next
    mov dx, COM1
    in al, dx
    cmp al, 'q'
    je .done
    call putc
    jmp .next
.done:
    SAY " bye"
    ret
