; A boot sector that draws: VBE 1024x768 with 32 bits a pixel, four lines of one colour through the
; window at 0xa0000. Then it stops in that mode.
bits 16
org 0x7c00

mode        equ 0x144           ; SeaVGABIOS's number for it
colour      equ 0x00c08040
lines       equ 4

start:
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    mov ax, 0x4f02              ; set the mode
    mov bx, mode
    int 0x10
    cmp ax, 0x004f
    jne rest
    mov ax, 0x4f05              ; window A at the start of video memory
    xor bx, bx
    xor dx, dx
    int 0x10
    mov ax, 0xa000
    mov es, ax
    xor di, di
    mov eax, colour
    mov cx, lines * 1024
    cld
    rep stosd
    mov al, 0x7c                ; done: for --post-codes
    out 0x80, al
rest:
    hlt
    jmp rest

    times 510 - ($ - $$) db 0
    dw 0xaa55
