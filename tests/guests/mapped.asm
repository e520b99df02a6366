; A kernel of whole pages in its file, for --load map: finds its data as it was linked, spoils it, and
; resets; time after time.
%include "pvh.inc"
WORDS   equ 3 * 1024
PATTERN equ 0x600dda7a

main:
    mov edi, data
    mov ecx, WORDS
.check:
    cmp dword [edi], PATTERN
    mov esi, spoiled
    jne fail
    mov dword [edi], 0
    add edi, 4
    loop .check
    SAY "as linked"
    mov dx, RESET_PORT
    mov al, 0x06
    out dx, al
    hlt
    ret
spoiled: db "spoiled", 0

section .data
align 4096
data: times WORDS dd PATTERN
