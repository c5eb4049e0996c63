package nameless
