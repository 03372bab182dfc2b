"""Can this network learn, and at which learning rate?"""
