; An option ROM that boots the Linux kernel a monitor offers through fw_cfg, on firmware that runs
; option ROMs (SeaBIOS). Firmware lists it among its boot entries and calls its boot entry vector.
;
; Sources: Plug and Play BIOS Specification 1.0A, section 3 (header); BIOS Boot Specification 1.01
; (BEV); QEMU docs/specs/fw_cfg.rst (DMA); Linux Documentation/arch/x86/boot.rst, "Running the
; Kernel" (real-mode entry). fw_cfg_items_kernel.cpp prepares what is read here: where each part
; goes, and the fields of the setup header.
;
; DMA takes physical addresses, so that real mode is enough to fill memory above 1 MiB. A kernel
; that can't be read leads back to the firmware, which tries its next boot entry.
;
; Both checksums and the padding to whole 512 byte blocks are done by linux_boot_rom().

        bits 16
        cpu 486
        org 0

CFG_DMA                 equ 0x514       ; high half of the descriptor's address, low half behind
CFG_SIGNATURE           equ 'QEMU'
CFG_SELECT_AND_READ     equ 0x0a
CFG_ERROR               equ 0x01

KEY_KERNEL_ADDRESS      equ 0x07
KEY_KERNEL_SIZE         equ 0x08
KEY_INITRD_ADDRESS      equ 0x0a
KEY_INITRD_SIZE         equ 0x0b
KEY_KERNEL_DATA         equ 0x11
KEY_INITRD_DATA         equ 0x12
KEY_CMDLINE_ADDRESS     equ 0x13
KEY_CMDLINE_SIZE        equ 0x14
KEY_CMDLINE_DATA        equ 0x15
KEY_SETUP_ADDRESS       equ 0x16
KEY_SETUP_SIZE          equ 0x17
KEY_SETUP_DATA          equ 0x18

; Offsets in the setup header.
HDR_RAMDISK_IMAGE       equ 0x218
HDR_HEAP_END            equ 0x224       ; counted from 0x200
SETUP_ENTRY_PARAGRAPHS  equ 0x20

; Our frame on the firmware's stack, from bp on. The descriptor is big-endian.
struc frame
.control:       resd 1
.length:        resd 1
.address_high:  resd 1
.address_low:   resd 1
.number:        resd 1                  ; the last one fetched
.setup:         resd 1                  ; where the setup part went
.initrd:        resd 1
.initrd_size:   resd 1
endstruc

        db 0x55, 0xaa
        db 0                            ; 512 byte blocks: linux_boot_rom() fills it in
initialise:
        xor ax, ax                      ; nothing to set up, no device found
        retf

        times 0x18 - ($ - $$) db 0
        dw 0                            ; no PCI data structure
        dw pnp_header

        align 16, db 0
pnp_header:
        db '$PnP'
        db 1                            ; revision
        db (pnp_end - pnp_header) / 16
        dw 0                            ; no other header
        db 0
        db 0                            ; checksum
        dd 0                            ; device id
        dw manufacturer
        dw product
        db 0, 0, 0                      ; device type
        db 0x04                         ; one may boot from it
        dw 0                            ; no boot connection vector
        dw 0                            ; no disconnect vector
        dw boot
        dw 0
        dw 0                            ; no static resources
pnp_end:

manufacturer:
        db 'coldstart', 0
product:
        db 'coldstart: kernel from fw_cfg', 0
failure:
        db 'coldstart: the kernel could not be read from fw_cfg', 13, 10, 0

; Where to, how much, and what: the parts that stay where the host wants them.
parts:
        dw KEY_SETUP_ADDRESS, KEY_SETUP_SIZE, KEY_SETUP_DATA
        dw KEY_KERNEL_ADDRESS, KEY_KERNEL_SIZE, KEY_KERNEL_DATA
        dw KEY_CMDLINE_ADDRESS, KEY_CMDLINE_SIZE, KEY_CMDLINE_DATA
parts_end:

; The boot entry vector: a far call that returns only when there is nothing to boot.
boot:
        pushad
        push ds
        push es
        cld
        sub sp, frame_size
        mov bp, sp
        push cs
        pop ds

        mov dx, CFG_DMA
        in eax, dx
        cmp eax, CFG_SIGNATURE
        jne .failed

        mov si, parts
.next_part:
        call fetch_part
        jc .failed
        add si, 6
        cmp si, parts_end
        jb .next_part

        mov dx, KEY_SETUP_ADDRESS
        call fetch_number
        jc .failed
        mov [bp + frame.setup], eax
        call load_initrd
        jnc enter_kernel

.failed:
        mov si, failure
        call print
        add sp, frame_size
        pop es
        pop ds
        popad
        retf

; The real-mode entry of the boot protocol: all segments on the setup part, code 0x20 paragraphs
; on, interrupts off, the stack at the end of what setup may use.
enter_kernel:
        cli
        mov ebx, [bp + frame.setup]
        shr ebx, 4
        mov ds, bx
        mov es, bx
        mov fs, bx
        mov gs, bx
        movzx eax, word [HDR_HEAP_END]
        add ax, 0x200 - 16              ; wraps at 64 KiB as the segment does
        mov ss, bx
        mov esp, eax
        add bx, SETUP_ENTRY_PARAGRAPHS
        push bx
        push word 0
        xor eax, eax
        xor ebx, ebx
        xor ecx, ecx
        xor edx, edx
        xor esi, esi
        xor edi, edi
        xor ebp, ebp
        retf

; The host places the initrd without knowing how much memory firmware keeps at the top of RAM for
; its tables. Where that is too much, the initrd moves down and the setup header learns of it.
; Carry on error.
load_initrd:
        mov dx, KEY_INITRD_SIZE
        call fetch_number
        jc .done
        mov [bp + frame.initrd_size], eax
        test eax, eax
        jz .done                        ; carry is clear
        mov dx, KEY_INITRD_ADDRESS
        call fetch_number
        jc .done
        mov [bp + frame.initrd], eax

        call top_of_ram
        mov ecx, [bp + frame.initrd_size]
        sub eax, ecx
        jc .done                        ; larger than RAM
        and eax, ~0xfff                 ; the highest page it fits at
        cmp eax, [bp + frame.initrd]
        jae .placed
        mov [bp + frame.initrd], eax
        mov ebx, [bp + frame.setup]
        shr ebx, 4
        mov es, bx
        mov [es:HDR_RAMDISK_IMAGE], eax
.placed:
        mov eax, [bp + frame.initrd]
        mov dx, KEY_INITRD_DATA
        call fetch
.done:
        ret

; eax: the end of the RAM below 4 GiB that firmware leaves to us; all ones when it does not say.
; Clobbers ebx, ecx, edx.
top_of_ram:
        push bp
        xor eax, eax
        xor ebx, ebx
        xor ecx, ecx
        xor edx, edx
        mov ax, 0xe801
        stc                             ; for firmware that ignores the call
        int 0x15
        pop bp
        jc .unknown
        test cx, cx                     ; the answer comes twice, some give one of them
        jnz .have
        mov cx, ax
        mov dx, bx
.have:
        movzx eax, dx                   ; 64 KiB blocks above 16 MiB
        shl eax, 16
        add eax, 16 << 20
        test dx, dx
        jnz .done
        movzx eax, cx                   ; none: KiB above 1 MiB
        shl eax, 10
        add eax, 1 << 20
.done:
        ret
.unknown:
        or eax, -1
        ret

; One part: si at its three keys. Carry on error and when there is nothing of it; keeps si.
fetch_part:
        mov dx, [si]
        call fetch_number
        jc .done
        push eax
        mov dx, [si + 2]
        call fetch_number
        pop ecx
        jc .done
        xchg eax, ecx                   ; eax: where to, ecx: how much
        cmp ecx, 1                      ; carry when it is 0
        jc .done
        mov dx, [si + 4]
        call fetch
.done:
        ret

; eax: the 32 bit number of item dx; 0 when there is none. Carry on error.
; Clobbers ecx, edx.
fetch_number:
        lea ax, [bp + frame.number]
        call linear
        mov ecx, 4
        call fetch
        mov eax, [bp + frame.number]
        ret

; Reads the first ecx bytes of item dx to physical address eax. Carry on error.
; Clobbers eax, ecx, edx.
fetch:
        test ecx, ecx
        jz .done                        ; carry is clear
        shl edx, 16
        or edx, CFG_SELECT_AND_READ
        bswap edx
        mov [bp + frame.control], edx
        bswap ecx
        mov [bp + frame.length], ecx
        mov dword [bp + frame.address_high], 0
        bswap eax
        mov [bp + frame.address_low], eax
        lea ax, [bp + frame.control]
        call linear
        bswap eax
        mov dx, CFG_DMA + 4
        out dx, eax                     ; starts the transfer
.wait:
        mov eax, [bp + frame.control]
        bswap eax
        test eax, ~CFG_ERROR
        jnz .wait
        cmp al, 1                       ; carry when it is 0
        cmc
.done:
        ret

; eax: the physical address of ss:ax. Keeps the other registers.
linear:
        push ecx
        movzx ecx, ax
        mov ax, ss
        movzx eax, ax
        shl eax, 4
        add eax, ecx
        pop ecx
        ret

; The text at si, by the firmware's console.
print:
        lodsb
        test al, al
        jz .done
        mov ah, 0x0e
        mov bx, 7
        push bp                         ; some video firmware clobbers it
        int 0x10
        pop bp
        jmp print
.done:
        ret
