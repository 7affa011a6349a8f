environment "billing" { version = "1.3.0" }
