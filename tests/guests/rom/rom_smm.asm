; System management mode: SMRAM open, closed and locked, TSEG, the interrupt by port 0xb2 on one
; processor and on all, and a flash that after the lock only the mode may write. (Q35 data sheet,
; sections 5.1.32 and 5.1.33; AMD64 APM vol. 2, chapter 10; QEMU's etc/smi files.)
;
; For 128 MiB and two processors. With a variable store of 64 KiB below 192 KiB of firmware the
; flash is looked at, too; POST code 1 says that it was.
%include "rom.inc"

SMRAM       equ MCH + 0x9d
ESMRAMC     equ MCH + 0x9e
EXT_TSEG    equ MCH + 0x50
OPEN        equ 0x48                ; D_OPEN, G_SMRAME
CLOSED      equ 0x08
LOCKED      equ 0x18
TSEG_8M     equ 0x05                ; T_EN, 8 MiB
TSEG        equ 0x7800000
TSEG_END    equ 0x8000000
FIRST_BASE  equ 0x30000             ; SMBASE at power-on
SMI_ENTRY   equ 0x8000
STATE_BASE  equ 0xff00              ; where a 64-bit processor's saved state has SMBASE
SMI_EN      equ PM_BASE + 0x30
SMI_STS     equ PM_BASE + 0x34
APM_CNT     equ 0xb2
FLASH       equ 0xfffc0000

; What the handlers tell, in low RAM.
first_count equ 0x7e00              ; entries at the first SMBASE
saw_low     equ 0x7e04              ; what they saw at 0xa0000
saw_tseg    equ 0x7e08              ; and at TSEG
tseg_count  equ 0x7e0c              ; entries in TSEG
ap_here     equ 0x7e10
again       equ 0x7e14
dma         equ 0x7e20              ; a descriptor for fw_cfg, 16 bytes
dma_data    equ 0x7e30

%macro CONFIG 2                     ; register, value
    mov eax, %1
    mov bl, %2
    call pci_write_byte
%endmacro
%macro SMI 1
    mov al, %1
    out APM_CNT, al
%endmacro
%macro SEES 3                       ; name, address, value
    cmp dword [dword fs:%2], %3
    CHECK %1, e
%endmacro

main:
    call flat_segments
    xor ax, ax
    mov ds, ax
    call chipset_on
    cmp dword [again], 0x41474149
    je after_reset
    mov dword [first_count], 0
    mov dword [tseg_count], 0
    mov dword [ap_here], 0

    mov eax, EXT_TSEG
    call pci_read
    cmp ax, 16
    CHECK "the chipset offers a TSEG of 16 MiB", e

    ; Compatible SMRAM at 0xa0000.
    CONFIG SMRAM, OPEN
    mov dword [dword fs:0xa0000], 0x534d4c4f
    SEES "open SMRAM is RAM", 0xa0000, 0x534d4c4f
    CONFIG SMRAM, CLOSED
    SEES "closed SMRAM is not there", 0xa0000, 0xffffffff
    mov dword [dword fs:0xa0000], 0
    CONFIG SMRAM, OPEN
    SEES "and was not written", 0xa0000, 0x534d4c4f

    ; TSEG: patterns before, in and at the end of it, and a handler.
    mov dword [dword fs:TSEG - 4], 0x11111111
    mov dword [dword fs:TSEG], 0x22222222
    mov dword [dword fs:TSEG_END - 4], 0x33333333
    mov edi, TSEG + SMI_ENTRY
    mov si, tseg_handler
    mov cx, tseg_handler_end - tseg_handler
    call copy_code
    mov edi, FIRST_BASE + SMI_ENTRY
    mov si, first_handler
    mov cx, first_handler_end - first_handler
    call copy_code
    CONFIG ESMRAMC, TSEG_8M
    SEES "D_OPEN shows TSEG", TSEG, 0x22222222
    CONFIG SMRAM, CLOSED
    SEES "TSEG is not there when closed", TSEG, 0xffffffff
    SEES "up to the end of RAM", TSEG_END - 4, 0xffffffff
    SEES "RAM below it is", TSEG - 4, 0x11111111
    mov dword [dword fs:TSEG], 0x44444444

    ; The interrupt.
    SMI 0x10
    cmp dword [first_count], 0
    CHECK "no SMI while SMI_EN is clear", e
    mov dx, SMI_EN
    mov eax, 0x21
    out dx, eax
    SMI 0x10
    cmp dword [first_count], 1
    CHECK "an SMI before the next instruction", e
    mov dx, SMI_STS
    in eax, dx
    test al, 0x20
    CHECK "APM_STS is set", nz
    cmp dword [saw_low], 0x534d4c4f
    CHECK "the handler sees closed SMRAM", e
    cmp dword [saw_tseg], 0x22222222
    CHECK "and TSEG, as it was written while open", e
    SMI 0x10
    cmp dword [tseg_count], 1
    CHECK "SMBASE moved into TSEG", e
    cmp dword [first_count], 1
    CHECK "for good", e

    ; All processors.
    call start_other
    cmp dword [ap_here], 1
    CHECK "the other processor runs", e
    SMI 0x10
    call pause_a_while
    cmp dword [first_count], 1
    CHECK "an SMI is for the one who wrote", e
    call ask_for_broadcast
    SMI 0x10
    call pause_a_while
    cmp dword [first_count], 2
    CHECK "and for all once that is agreed", e
    cmp dword [tseg_count], 3
    CHECK "the writer among them", e

    mov al, FLASH_UNLOCKED
    call try_flash
    CHECK "the flash takes a write before the lock", e

    ; The lock.
    CONFIG SMRAM, LOCKED
    CONFIG SMRAM, OPEN
    SEES "locked SMRAM does not open", 0xa0000, 0xffffffff
    CONFIG ESMRAMC, 0
    SEES "and TSEG stays", TSEG, 0xffffffff
    call dma_to_tseg
    CHECK "DMA does not reach TSEG", nz
    SMI 0x21
    cmp dword [saw_tseg], 0x22222222
    CHECK "nothing has changed in it", e
    mov al, FLASH_LOCKED
    call try_flash
    CHECK "the flash takes none after the lock", e
    SMI 0x20
    mov al, FLASH_IN_SMM
    call look_at_flash
    CHECK "but from the handler", e

    mov dword [again], 0x41474149
    SAY "ok and now a reset"
    mov dx, 0xcf9
    mov al, 6
    out dx, al
    hlt

after_reset:
    mov dword [again], 0
    mov eax, SMRAM & 0xfffffffc
    call pci_read
    and eax, 0x00ffff00
    cmp eax, 0x00380200
    CHECK "a reset unlocks SMRAM", e
    SEES "TSEG is RAM again", TSEG, 0x22222222
    mov dx, SMI_EN
    in eax, dx
    test eax, eax
    CHECK "SMI_EN is clear again", z
    mov al, FLASH_RESET
    call try_flash
    CHECK "the flash takes writes again", e
    ret

chipset_on:
    mov eax, LPC + 0x40
    mov ebx, PM_BASE | 1
    call pci_write
    mov eax, LPC + 0x44
    mov ebx, 0x80
    jmp pci_write

; CS:SI, CX bytes, to FS:EDI
copy_code:
    mov al, [cs:si]
    mov [fs:edi], al
    inc si
    inc edi
    loop copy_code
    ret

; Both handlers: 16-bit code, DS is flat, the base of CS is SMBASE.
first_handler:
    mov eax, [dword 0xa0000]
    mov [dword saw_low], eax
    mov eax, [dword TSEG]
    mov [dword saw_tseg], eax
    lock inc dword [dword first_count]
    cmp dword [dword first_count], 1
    jne .done
    mov dword [dword FIRST_BASE + STATE_BASE], TSEG
.done:
    rsm
first_handler_end:

tseg_handler:
    inc dword [dword tseg_count]
    in al, APM_CNT
    cmp al, 0x21
    jne .flash
    mov eax, [dword TSEG]
    mov [dword saw_tseg], eax
.flash:
    cmp al, 0x20
    jne .done
    mov byte [dword FLASH + FLASH_IN_SMM], 0x40
    mov byte [dword FLASH + FLASH_IN_SMM], 0x5a
    mov byte [dword FLASH + FLASH_IN_SMM], 0xff
.done:
    rsm
tseg_handler_end:

; Where in the flash each try goes, and what stands there afterwards.
FLASH_UNLOCKED equ 0
FLASH_LOCKED   equ 1
FLASH_IN_SMM   equ 2
FLASH_RESET    equ 3
flash_wants: db 0x5a, 0xff, 0x5a, 0x5a

; AL: which. Programs a byte; ZF: what stands there is right.
try_flash:
    call has_flash
    jne look_at_flash.absent
    movzx edi, al
    mov byte [fs:edi + FLASH], 0x40
    mov byte [fs:edi + FLASH], 0x5a
    mov byte [fs:edi + FLASH], 0xff
look_at_flash:
    call has_flash
    jne .absent
    movzx edi, al
    mov bl, [cs:edi + flash_wants]
    cmp [fs:edi + FLASH], bl
    ret
.absent:
    cmp al, al
    ret

; ZF: there is a flash. Its store was made for this guest and ends in a word of it.
has_flash:
    cmp dword [dword fs:FLASH + 0xfffc], 0x48534c46
    jne .done
    push ax
    mov al, 1
    out POST_PORT, al
    cmp al, al
    pop ax
.done:
    ret

start_other:
    mov edi, 0x8000
    mov si, application
    mov cx, application_end - application
    call copy_code
    mov edi, 0xfee000f0
    mov dword [fs:edi], 0x1ff
    mov edi, 0xfee00300
    mov dword [fs:edi], 0x000c4500  ; INIT to all but self
    call pause_a_while
    mov dword [fs:edi], 0x000c4608  ; SIPI, page 8
    call pause_a_while
    ret

pause_a_while:
    push ecx
    push ax
    mov ecx, 20000
.next:
    in al, 0x61
    a32 loop .next
    pop ax
    pop ecx
    ret

application:
    xor ax, ax
    mov ds, ax
    lock inc dword [ap_here]
.rest:
    hlt
    jmp .rest
application_end:

; DS:dma filled in: starts it. ZF: it went well.
start_dma:
    mov dx, 0x514
    xor eax, eax
    out dx, eax
    mov dx, 0x518
    mov eax, dma
    bswap eax
    out dx, eax
    cmp dword [dma], 0
    ret

; AX: key, EBX: control bits, ECX: length, EDX: address
set_dma:
    shl eax, 16
    or eax, ebx
    bswap eax
    mov [dma], eax
    bswap ecx
    mov [dma + 4], ecx
    mov dword [dma + 8], 0
    bswap edx
    mov [dma + 12], edx
    ret

dma_to_tseg:
    xor eax, eax
    mov ebx, 0x0a                   ; select, read
    mov ecx, 4
    mov edx, TSEG
    call set_dma
    jmp start_dma

; Requests feature 0 and looks whether that is well.
ask_for_broadcast:
    mov si, requested_name
    call find_file
    mov dword [dma_data], 1
    mov dword [dma_data + 4], 0
    mov ebx, 0x18                   ; select, write
    mov ecx, 8
    mov edx, dma_data
    call set_dma
    call start_dma
    CHECK "the features were written", e
    mov si, ok_name
    call find_file
    mov ebx, 0x0a
    mov ecx, 1
    mov edx, dma_data
    call set_dma
    call start_dma
    cmp byte [dma_data], 1
    CHECK "and are agreed", e
    ret
requested_name: db "etc/smi/requested-features", 0
ok_name: db "etc/smi/features-ok", 0

; CS:SI: name -> AX: key, or 0
find_file:
    mov dx, 0x510
    mov ax, 0x19
    out dx, ax
    call next_four
    mov ebp, eax
.entry:
    test ebp, ebp
    jz .none
    dec ebp
    call next_four
    call next_four
    shr eax, 16
    mov di, ax
    mov bx, si
    mov cx, 56
    mov ah, 0                       ; whether some character differed
.character:
    call next_one
    cmp byte [cs:bx], 0
    je .ended
    cmp al, [cs:bx]
    je .same
    mov ah, 1
.same:
    inc bx
    jmp .next
.ended:
    or ah, al
.next:
    loop .character
    test ah, ah
    jnz .entry
    movzx eax, di
    ret
.none:
    xor eax, eax
    ret

next_one:
    mov dx, 0x511
    in al, dx
    ret

; EAX: a big-endian doubleword
next_four:
    push cx
    mov cx, 4
.next:
    shl ebx, 8
    call next_one
    mov bl, al
    loop .next
    mov eax, ebx
    pop cx
    ret
ROM_END
