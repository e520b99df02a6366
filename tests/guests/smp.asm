; INIT and SIPI (Intel SDM vol. 3 section 9.4): every application processor starts in real mode at
; the page the message names, counts itself, and the boot processor counts along.
%include "pvh.inc"

APIC        equ 0xfee00000
ICR_LOW     equ APIC + 0x300
TRAMPOLINE  equ 0x8000
COUNTER     equ 0x9000

main:
    mov dword [COUNTER], 0
    mov esi, trampoline
    mov edi, TRAMPOLINE
    mov ecx, trampoline_end - trampoline
    rep movsb
    mov dword [APIC + 0xf0], 0x1ff         ; enable the local APIC
    mov dword [ICR_LOW], 0x000c4500        ; INIT to all but self
    mov dword [ICR_LOW], 0x000c4600 | (TRAMPOLINE >> 12)
    mov eax, 0xb                           ; how many there are in the package
    mov ecx, 1
    cpuid
    movzx ebx, bx
    dec ebx
    mov ecx, 20000000
.wait:
    pause
    cmp [COUNTER], ebx
    je .all
    loop .wait
    mov eax, [COUNTER]
    call print_hex
    mov esi, .missing
    jmp fail
.missing: db " application processors only", 0
.all:
    mov eax, ebx
    inc eax
    call print_hex
    SAY " processors"
    ret

bits 16
trampoline:
    xor ax, ax
    mov ds, ax
    lock inc dword [COUNTER]
.rest:
    cli
    hlt
    jmp .rest
trampoline_end:
bits 32
