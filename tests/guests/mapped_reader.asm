; Reads the pages of its file again and again, and prints a dot each time; ends when one reads as it
; was not linked.
%include "pvh.inc"
PAGES   equ 4
PATTERN equ 0x600dda7a

main:
    mov al, '.'
    call putc
    mov edi, data
    mov ecx, PAGES
.read:
    cmp dword [edi], PATTERN
    mov esi, changed
    jne fail
    add edi, 4096
    loop .read
    mov ecx, 2000
.wait:
    loop .wait
    jmp main
changed: db "changed", 0

section .data
align 4096
data: times PAGES * 1024 dd PATTERN
