"""What tills keep: sales that arrived late, and who stands at one."""
