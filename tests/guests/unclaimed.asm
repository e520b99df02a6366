; Ports and addresses that nobody claims read as all ones, whatever the width, and writes vanish.
%include "pvh.inc"
main:
    mov dx, 0x1234
    xor eax, eax
    in al, dx
    cmp al, 0xff
    FAIL_IF ne, "a byte from nowhere is not 0xff"
    in ax, dx
    cmp ax, 0xffff
    FAIL_IF ne, "a word from nowhere is not 0xffff"
    in eax, dx
    cmp eax, 0xffffffff
    FAIL_IF ne, "a double word from nowhere is not all ones"
    out dx, eax
    mov edi, 0xc0001000
    mov eax, [edi]
    cmp eax, 0xffffffff
    FAIL_IF ne, "memory from nowhere is not all ones"
    mov [edi], eax
    mov esi, .text
    mov ecx, .text_end - .text
    mov dx, COM1
    rep outsb                       ; one exit with a count
    SAY ""
    ret
.text: db "all ones"
.text_end:
