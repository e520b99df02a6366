; The guest of the start-up benchmark: one byte on COM1, then the power goes off. Nothing else, so
; that what is measured is the monitor's work. floor.c runs the same instructions, assembled for 16 bits.
bits 32

section .note.pvh note alloc
    dd 4, 4, 18
    db "Xen", 0
    dd _start

section .text
global _start
_start:
    mov dx, 0x3f8                  ; COM1
    mov al, 'R'
    out dx, al
    mov dx, 0x604                  ; the ACPI control register: sleep type 5, and sleep
    mov ax, 5 << 10 | 1 << 13
    out dx, ax
.rest:
    hlt
    jmp .rest
