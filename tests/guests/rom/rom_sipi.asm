; An application processor waits for INIT and SIPI, and begins in real mode at the page the SIPI
; names.
%include "rom.inc"
LAPIC_ICR_LOW   equ 0xfee00300
LAPIC_SPURIOUS  equ 0xfee000f0
main:
    call flat_segments
    ; Its first instructions go to 0x8000: count itself at 0x7f00 and stop.
    xor ax, ax
    mov ds, ax
    mov dword [0x7f00], 0
    mov si, application
    mov di, 0x8000
    mov cx, application_end - application
.copy:
    mov al, [cs:si]
    mov [di], al
    inc si
    inc di
    loop .copy
    mov edi, LAPIC_SPURIOUS
    mov dword [fs:edi], 0x1ff
    mov edi, LAPIC_ICR_LOW
    mov dword [fs:edi], 0x000c4500  ; INIT to all but self
    call pause_a_while
    cmp dword [0x7f00], 0
    CHECK "INIT alone starts nobody", e
    mov dword [fs:edi], 0x000c4608  ; SIPI, page 8
    mov ecx, 2000
.wait:
    call pause_a_while
    cmp dword [0x7f00], 3
    je .done
    loop .wait
.done:
    cmp dword [0x7f00], 3
    CHECK "three processors came", e
    ret

pause_a_while:
    push ecx
    mov ecx, 2000
.next:
    in al, 0x61
    loop .next
    pop ecx
    ret

application:
    xor ax, ax
    mov ds, ax
    lock inc dword [0x7f00]
    hlt
    jmp $ - 1
application_end:
ROM_END
