; The state of the boot processor at the reset vector: Intel SDM vol. 3 table 10-1. The reset code
; saves everything before anything else runs, without a stack.
%include "rom.inc"
%define AT_RESET

save_area equ 0x600
main:
    ; The entry has used AX, SP, SS, DS, ES; what it began with is in RAM by `first`.
    xor ax, ax
    mov ds, ax
    cmp dword [save_area + 0], 0
    CHECK "eax", e
    cmp dword [save_area + 4], 0
    CHECK "ebx", e
    cmp dword [save_area + 8], 0
    CHECK "ecx", e
    cmp dword [save_area + 12], 0   ; family, model, stepping
    CHECK "edx", ne
    cmp dword [save_area + 16], 0
    CHECK "esi", e
    cmp dword [save_area + 20], 0
    CHECK "edi", e
    cmp dword [save_area + 24], 0
    CHECK "ebp", e
    cmp dword [save_area + 28], 0
    CHECK "esp", e
    cmp dword [save_area + 32], 0x60000010
    CHECK "cr0", e
    cmp word [save_area + 36], 0xf000
    CHECK "cs", e
    cmp word [save_area + 38], 0
    CHECK "ds", e
    cmp word [save_area + 40], 0
    CHECK "es", e
    cmp word [save_area + 42], 0
    CHECK "ss", e
    cmp dword [save_area + 44], 2
    CHECK "eflags", e
    cmp word [save_area + 48], 0xffff
    CHECK "idt limit", e
    cmp dword [save_area + 50], 0
    CHECK "idt base", e
    cmp word [save_area + 56], 0xffff
    CHECK "gdt limit", e
    cmp dword [save_area + 58], 0
    CHECK "gdt base", e
    mov eax, cr2
    test eax, eax
    CHECK "cr2", e
    mov eax, cr3
    test eax, eax
    CHECK "cr3", e
    mov eax, cr4
    test eax, eax
    CHECK "cr4", e
    mov eax, dr6
    cmp eax, 0xffff0ff0
    CHECK "dr6", e
    mov eax, dr7
    cmp eax, 0x400
    CHECK "dr7", e
    ret

; Jumped to from the reset vector; DS is 0 there, so plain stores reach RAM.
first:
    mov [save_area + 0], eax
    mov [save_area + 4], ebx
    mov [save_area + 8], ecx
    mov [save_area + 12], edx
    mov [save_area + 16], esi
    mov [save_area + 20], edi
    mov [save_area + 24], ebp
    mov [save_area + 28], esp
    mov eax, cr0
    mov [save_area + 32], eax
    mov [save_area + 36], cs
    mov [save_area + 38], ds
    mov [save_area + 40], es
    mov [save_area + 42], ss
    sidt [save_area + 48]
    sgdt [save_area + 56]
    mov sp, 0x7000
    pushfd
    pop dword [save_area + 44]
    jmp entry

    times 0xfff0 - ($ - $$) db 0xff
    jmp near first
    times 0x10000 - ($ - $$) db 0
