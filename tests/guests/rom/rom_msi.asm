; A message signalled interrupt: the AHCI controller's (00:1f.2, PCI 3.0 section 6.8.1), caused by
; IDENTIFY PACKET DEVICE on port 0 (AHCI 1.3.1, sections 4 and 5), at the vector it names. Then the
; same without MSI, which must not arrive there.
; Needs a drive on port 0: --cdrom.
%include "rom.inc"
AHCI            equ 0x8000fa00          ; 00:1f.2 in CONFIG_ADDRESS
MSI             equ 0x80                ; its capability
ABAR            equ 0xe0000000
PORT            equ ABAR + 0x100
VECTOR_OF_MSI   equ 0x51
LAPIC_SPURIOUS  equ 0xfee000f0
LAPIC_EOI       equ 0xfee000b0
ARRIVED         equ 0x7f00              ; how often, in segment 0
COMMAND_LIST    equ 0x10000
RECEIVED_FIS    equ 0x11000
COMMAND_TABLE   equ 0x12000
IDENTITY        equ 0x13000
POLLS           equ 2000000

%macro CONFIG 2                         ; register, value
    mov eax, AHCI + %1
    mov ebx, %2
    call pci_write
%endmacro
%macro STORE 2                          ; address, value
    mov dword [dword fs:%1], %2
%endmacro

main:
    call flat_segments
    xor ax, ax
    mov ds, ax
    mov dword [ARRIVED], 0
    mov word [VECTOR_OF_MSI * 4], arrived
    mov word [VECTOR_OF_MSI * 4 + 2], cs
    mov al, 0xff                        ; nothing by the PICs
    out 0x21, al
    out 0xa1, al
    STORE LAPIC_SPURIOUS, 0x1ff

    mov eax, AHCI + MSI
    call pci_read
    cmp al, 0x05
    CHECK "the AHCI controller has MSI at 0x80", e
    CONFIG 0x24, ABAR
    CONFIG 0x04, 0x6                    ; memory, bus master
    CONFIG MSI + 4, 0xfee00000          ; to APIC 0, fixed
    CONFIG MSI + 8, 0
    CONFIG MSI + 12, VECTOR_OF_MSI
    CONFIG MSI, 1 << 16                 ; MSI on

    STORE ABAR + 0x04, 0x80000000       ; GHC: AHCI
    STORE PORT + 0x00, COMMAND_LIST
    STORE PORT + 0x04, 0
    STORE PORT + 0x08, RECEIVED_FIS
    STORE PORT + 0x0c, 0
    STORE PORT + 0x30, 0xffffffff       ; SERR
    STORE PORT + 0x14, 0xffffffff       ; IE: whatever happens
    STORE COMMAND_LIST, 1 << 16 | 5     ; one PRD, a FIS of five doublewords
    STORE COMMAND_LIST + 4, 0
    STORE COMMAND_LIST + 8, COMMAND_TABLE
    STORE COMMAND_LIST + 12, 0
    STORE COMMAND_TABLE, 0x00a18027     ; host to device, command, IDENTIFY PACKET DEVICE
    STORE COMMAND_TABLE + 4, 0
    STORE COMMAND_TABLE + 8, 0
    STORE COMMAND_TABLE + 12, 0
    STORE COMMAND_TABLE + 16, 0
    STORE COMMAND_TABLE + 0x80, IDENTITY
    STORE COMMAND_TABLE + 0x84, 0
    STORE COMMAND_TABLE + 0x88, 0
    STORE COMMAND_TABLE + 0x8c, 511
    STORE PORT + 0x18, 0x10             ; FRE
    STORE PORT + 0x18, 0x11             ; and ST

    call identify
    call wait_for_message
    cmp word [dword fs:IDENTITY], 0x85c0
    CHECK "the drive has told who it is", e
    cmp dword [ARRIVED], 0
    CHECK "GHC.IE off: no message", e

    call acknowledge
    STORE ABAR + 0x04, 0x80000002       ; GHC.IE
    call identify
    call wait_for_message
    cmp dword [ARRIVED], 1
    CHECK "one message has arrived at its vector", e

    call acknowledge
    CONFIG MSI + 12, VECTOR_OF_MSI + 1  ; another vector from now on
    mov word [(VECTOR_OF_MSI + 1) * 4], arrived_elsewhere
    mov word [(VECTOR_OF_MSI + 1) * 4 + 2], cs
    call identify
    call wait_for_message
    cmp dword [ARRIVED], 0x101
    CHECK "the next one at the vector that stands there now", e

    call acknowledge
    CONFIG MSI, 0                       ; MSI off; the pin leads to a masked PIC
    call identify
    call wait_for_message
    cmp dword [ARRIVED], 0x101
    CHECK "MSI off: no message", e
    ret

; Issues slot 0 and waits until it is done.
identify:
    STORE PORT + 0x38, 1                ; CI
    mov ecx, POLLS
.busy:
    test dword [dword fs:PORT + 0x38], 1
    jz .done
    dec ecx
    jnz .busy
    SAY "bad the command does not end"
.done:
    ret

; Gives a message a tenth of a second or so to arrive.
wait_for_message:
    mov ebx, [ARRIVED]
    sti
    mov cx, 50000
.more:
    in al, 0x61                         ; an exit each: not too quick
    cmp ebx, [ARRIVED]
    jne .came
    loop .more
.came:
    cli
    ret

acknowledge:
    STORE PORT + 0x10, 0xffffffff       ; PxIS
    STORE ABAR + 0x08, 0xffffffff       ; IS
    ret

arrived:
    inc dword [ss:ARRIVED]              ; SS is 0
    STORE LAPIC_EOI, 0
    iret

arrived_elsewhere:
    add dword [ss:ARRIVED], 0x100
    STORE LAPIC_EOI, 0
    iret
ROM_END
