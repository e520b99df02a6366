; Every way to reset, one after the other, each beginning at the reset vector again with the RAM
; kept and the devices reset. A CMOS byte, which no reset touches, counts how far we are.
%include "rom.inc"
STAGE   equ 0x40                    ; CMOS register
MAGIC   equ 0xc01d57a7

main:
    mov al, STAGE
    call cmos_read
    mov bl, al
    xor ax, ax
    mov ds, ax
    test bl, bl
    jz .first
    cmp dword [0x5000], MAGIC
    CHECK "RAM is kept", e
    mov eax, MCH + 0x94
    call pci_read
    test eax, eax
    CHECK "the chipset is reset", e
.first:
    mov dword [0x5000], MAGIC
    mov eax, MCH + 0x95             ; something for the reset to undo
    push bx
    mov bl, 0x33
    call pci_write_byte
    pop bx
    mov al, STAGE
    mov ah, bl
    inc ah
    call cmos_write
    cmp bl, 0
    je .by_cf9
    cmp bl, 1
    je .by_keyboard
    cmp bl, 2
    je .by_port_92
    cmp bl, 3
    je .by_triple_fault
    cmp bl, 4
    je .by_acpi
    SAY "ok every reset came back"
    mov al, STAGE
    mov ah, 0
    call cmos_write
    ret
.by_cf9:
    SAY "reset by 0xcf9"
    mov dx, 0xcf9
    mov al, 2
    out dx, al
    mov al, 6
    out dx, al
    jmp .wait
.by_keyboard:
    SAY "reset by the keyboard controller"
    mov al, 0xfe
    out 0x64, al
    jmp .wait
.by_port_92:
    SAY "reset by port 0x92"
    in al, 0x92
    and al, 0xfe
    out 0x92, al
    or al, 1
    out 0x92, al
    jmp .wait
.by_triple_fault:
    SAY "reset by a triple fault"
    mov dword [0x520], 0
    mov dword [0x524], 0
    lidt [0x520]
    int3
.by_acpi:
    SAY "reset by the ACPI reset register"
    mov dx, 0xcf9                   ; FADT RESET_REG, RESET_VALUE
    mov al, 0x0f
    out dx, al
.wait:
    hlt
    jmp .wait
ROM_END
