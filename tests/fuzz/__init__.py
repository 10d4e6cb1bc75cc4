"""Damaged and hostile files by the thousand, and what each command and function makes of them."""
