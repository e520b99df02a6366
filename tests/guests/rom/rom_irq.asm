; Interrupts as firmware takes them: IRQ 0 of the PIT through the PICs in real mode, then the same
; timer through the IOAPIC's pin 2 to the local APIC.
%include "rom.inc"
LAPIC_SPURIOUS  equ 0xfee000f0
LAPIC_EOI       equ 0xfee000b0
IOAPIC_SELECT   equ 0xfec00000
IOAPIC_WINDOW   equ 0xfec00010

%macro VECTOR 2                     ; number, handler
    mov word [%1 * 4], %2
    mov word [%1 * 4 + 2], 0xf000
%endmacro

main:
    call flat_segments
    jmp 0xf000:.low
.low:
    xor ax, ax
    mov ds, ax
    mov dword [0x7f00], 0
    VECTOR 0x08, pic_handler
    VECTOR 0x50, apic_handler
    mov al, 0x11
    out 0x20, al
    out 0xa0, al
    mov al, 0x08
    out 0x21, al
    mov al, 0x70
    out 0xa1, al
    mov al, 4
    out 0x21, al
    mov al, 2
    out 0xa1, al
    mov al, 1
    out 0x21, al
    out 0xa1, al
    mov al, 0xfe                    ; IRQ 0 only
    out 0x21, al
    mov al, 0xff
    out 0xa1, al
    mov al, 0x34                    ; PIT channel 0, mode 2, 1 kHz
    out 0x43, al
    mov al, 1193 & 0xff
    out 0x40, al
    mov al, 1193 >> 8
    out 0x40, al
    sti
.pic:
    hlt
    cmp dword [0x7f00], 5
    jb .pic
    cli
    SAY "ok five ticks came through the PIC"
    mov al, 0xff
    out 0x21, al

    mov dword [0x7f00], 0
    mov edi, LAPIC_SPURIOUS
    mov dword [fs:edi], 0x1ff
    mov edi, IOAPIC_SELECT
    mov esi, IOAPIC_WINDOW
    mov dword [fs:edi], 0x15        ; pin 2, high half: to APIC 0
    mov dword [fs:esi], 0
    mov dword [fs:edi], 0x14        ; low half: vector 0x50, edge, fixed
    mov dword [fs:esi], 0x50
    sti
.apic:
    hlt
    cmp dword [0x7f00], 5
    jb .apic
    cli
    SAY "ok five ticks came through the IOAPIC"
    mov dword [fs:edi], 0x14
    mov dword [fs:esi], 0x10000     ; masked
    ret

pic_handler:
    push ax
    inc dword [ss:0x7f00]           ; SS is 0
    mov al, 0x20
    out 0x20, al
    pop ax
    iret

apic_handler:
    push edi
    inc dword [ss:0x7f00]
    mov edi, LAPIC_EOI
    mov dword [fs:edi], 0
    pop edi
    iret
ROM_END
