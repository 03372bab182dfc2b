"""How derivatives are proved: gradcheck, and the table of sample problems behind the tests and ``chainrule check``."""
