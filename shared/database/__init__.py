"""Tables, migrations and every statement; the only place that speaks SQL."""
